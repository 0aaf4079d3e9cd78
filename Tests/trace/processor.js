// Runs Perfetto's trace processor, as its user interface has it (WebAssembly), between standard input and standard output, which carry its own
// protocol (TraceProcessorRpcStream). The interface runs it in a thread of the browser; what that thread finds there is made here.
//
//     node processor.js FOLDER      with engine_bundle.js and trace_processor*.wasm
const fs = require('fs'), path = require('path'), vm = require('vm');
const self = process, folder = self.argv[2];
const say = (...texts) => self.stderr.write(texts.join(' ') + '\n');
const file = name => fs.readFileSync(path.join(folder, path.basename(String(name))));

Object.assign(console, {log: say, warn: say, error: say});
globalThis.self = globalThis;
globalThis.location = {href: 'engine_bundle.js', pathname: 'engine_bundle.js'};
globalThis.importScripts = () => {};
globalThis.WorkerGlobalScope = class {};
globalThis.fetch = async name => new Response(file(name), {headers: {'Content-Type': 'application/wasm'}});
globalThis.XMLHttpRequest = class {
    open(_, name) { this.name = name; }
    send() {
        const bytes = file(this.name);
        this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
        this.status = 200;
    }
};
vm.runInThisContext('var process = undefined;'); // It is to take this for a browser.
vm.runInThisContext(file('engine_bundle.js').toString());

// The processor is made before this script comes to its end, and so before anything is read.
const port = {postMessage: bytes => self.stdout.write(Buffer.from(bytes))};
globalThis.onmessage({data: port});
self.stdin.on('data', bytes => port.onmessage({data: new Uint8Array(bytes)}));
self.stdin.on('end', () => self.exit(0));
