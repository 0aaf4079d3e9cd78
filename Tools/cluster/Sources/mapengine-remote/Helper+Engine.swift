// What the engine asks for over the control socket.

import CLanes
import CNet
import Cluster
import Glibc

extension Helper {
    func receive() {
        while true {
            switch host.receive() {
            case .gone: leave()
            case .nothing: return
            case .message(var message): take(&message)
            }
        }
    }

    func take(_ message: inout HostMessage) {
        switch message.message.kind {
        case MAPB_CONTROL_INIT.rawValue:
            let memory = message.take(0)
            engineBell = message.take(1)
            waiterBell = message.take(2)
            inputSize = message.message.size
            about.isSandboxed = message.message.flags & MAPB_INIT_SANDBOX.rawValue != 0
            about.memoryLimit = message.message.memory_limit
            about.growth = message.message.growth
            unsafe input = unsafe lanes_map_input(memory, inputSize)
            close(memory)
            if unsafe input == nil { exit(1) }
        case MAPB_CONTROL_STDERR.rawValue: _ = dup2(message.descriptors.0, 2)
        case MAPB_CONTROL_CLUSTER.rawValue:
            lanesBell = message.take(0)
            most = message.message.slot
            isDiscarding = message.message.code & Int32(MAPB_CLUSTER_DISCARD.rawValue) != 0
            open(message.text)
        case MAPB_CONTROL_SPAWN.rawValue: spawn(&message)
        case MAPB_CONTROL_KILL.rawValue:
            guard let lane = lanes[message.message.slot], lane.generation == message.message.generation else { return }
            for request in lane.open.all {
                if case .part(let part) = request { forget(part, stop: true) }
            }
            end(lane, status: 9)
        default: break
        }
    }

    func open(_ text: String) {
        do throws(Refusal) {
            let url = try ClusterURL(text)
            keys = Keys(url.prefix)
            about.needs = url.needs
            valueLimit = url.valueLimit
            var number: UInt64 = 0
            unsafe withUnsafeMutableBytes(of: &number) { unsafe cnet_random($0.baseAddress, 8) }
            link = Link(url, number: number)
            nextTick = 0
        } catch {
            host.refused(error)
        }
    }

    func spawn(_ message: inout HostMessage) {
        let slot = message.message.slot
        let generation = message.message.generation
        let output = message.take(0)
        let pipes = (message.take(1), message.take(2))
        defer { close(output) }
        guard let input = unsafe input,
            let lane = unsafe Lane(message, output: output, pipes: pipes, input: input, inputSize: inputSize)
        else {
            host.spawned(slot, generation, failure: ENOMEM)
            return
        }
        lanes[slot] = lane
        host.spawned(slot, generation)
    }

    /// A lane ends. What it holds the engine gives to others.
    func end(_ lane: Lane, status: Int32) {
        lanes[lane.slot] = nil
        host.died(lane.slot, lane.generation, status: status)
    }

    /// The engine is gone: what others would wait for goes with it.
    func leave() -> Never {
        if let link, link.isReady {
            retire()
            link.commands?.work()
            let end = cnet_clock() + 200_000_000
            while let commands = link.commands, commands.backlog > 0, cnet_clock() < end, !commands.isClosed {
                _ = cnet_wait(commands.descriptor, 1, 20)
                commands.work()
            }
        }
        exit(0)
    }

    /// Takes the pool from the server.
    func retire() {
        link?.ask(["SREM", .text(keys.pools), .text(pool)])
        link?.ask([
            "DEL", .text(keys.alive(pool)), .text(keys.work(pool)), .text(keys.out(pool)), .text(keys.log(pool)),
        ])
        for function in functions.values where function.toldIn == link?.life {
            link?.ask(["DEL", .text(keys.function(pool, function.serial))])
        }
        link?.ask(["PUBLISH", .text(keys.control), .text(Control.gone(pool).text)])
    }
}
