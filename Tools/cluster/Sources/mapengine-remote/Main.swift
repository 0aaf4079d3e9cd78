// mapengine-remote: a zygote to the engine, whose workers are lanes to nodes on other machines. docs/cluster.md has the whole.
//
// One thread waits for the control socket, the bell of the lanes, and two connections to the server: one for commands, one that waits for
// answers.

import CLanes
import CNet
import Cluster
import Glibc

@main
struct Main {
    static func main() {
        guard lanes_is_helper() == 1 else {
            let text = Array(
                "mapengine-remote is started by libmapengine, for its own use: see `cluster` of mape_pool_config\n".utf8
            )
            _ = unsafe write(2, text, text.count)
            exit(64)
        }
        cnet_signals(0)
        cnet_memory_keep()
        let helper = Helper()
        withExtendedLifetime(helper) { helper.run() }
    }
}
