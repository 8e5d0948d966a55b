// Runs an image of the RP2040's flash on rp2040js, with the serial line at a TCP port, which is printed.
// Plays the boot ROM: copies the second boot stage into RAM and jumps to it. When the host hangs up, prints the clocks
// that the model computed from what the firmware wrote into its registers.
import { readFileSync } from "fs";
import { createServer } from "net";
import { Simulator } from "rp2040js";

const STAGE_NBYTES = 256;
const STAGE_ADDRESS = 0x20041f00;
const FIFO_NBYTES = 16;

const image = readFileSync(process.argv[2]);
const simulator = new Simulator();
const chip = simulator.rp2040;
chip.flash.set(image, 0);
for (let i = 0; i < STAGE_NBYTES; i++) {
  chip.writeUint8(STAGE_ADDRESS + i, image[i]);
}
chip.core.SP = STAGE_ADDRESS;
chip.core.PC = STAGE_ADDRESS;

let client = null;
let baud = 0;
const early = [];
const waiting = [];
chip.uart[0].onBaudRateChange = (rate) => (baud = rate);
chip.uart[0].onByte = (byte) => (client ? client.write(Buffer.from([byte])) : early.push(byte));

// As fast as a real line at most: the model's FIFO would overrun, as the real one would.
setInterval(() => waiting.splice(0, FIFO_NBYTES / 2).forEach((byte) => chip.uart[0].feedByte(byte)), 1);

const server = createServer((socket) => {
  client = socket.setNoDelay(true);
  client.write(Buffer.from(early));
  client.on("data", (data) => waiting.push(...data));
  client.on("error", () => {});
  client.on("close", () => {
    console.log(JSON.stringify({ system: chip.clkSys, serial: chip.clkPeri, baud }));
    process.exit(0);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(server.address().port);
  simulator.execute();
});
