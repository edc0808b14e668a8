/**
 * A process of slow clients: `node slow-sockets.ts PORT COUNT`. Each socket sends a log's request a byte a second; it says how many
 * are open, and at the end of its input how each ended.
 */
import net from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const HEAD =
  'POST /api/v1/playback-logs HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"log_id":"';
const PACE_MS = 1_000;

interface Slow {
  readonly socket: net.Socket;
  heard: string;
  at: number;
}

const ended = { answered408: 0, answeredElse: 0, closedUnheard: 0 };
const slow: Slow[] = Array.from({ length: count ?? 0 }, (_, i) => {
  const one = { socket: net.connect(port ?? 0, '127.0.0.1'), heard: '', at: 0 };
  // Half of them are slow in the head, half in the body.
  const begun = i % 2 === 0 ? HEAD.slice(0, 10) : HEAD;
  one.socket.on('connect', () => {
    one.socket.write(begun);
    one.at = begun.length;
  });
  one.socket.on('data', (bytes: Buffer) => {
    one.heard += bytes.toString('latin1');
  });
  one.socket.on('error', () => one.socket.destroy());
  one.socket.on('close', () => {
    if (one.heard === '') ended.closedUnheard += 1;
    else if (one.heard.startsWith('HTTP/1.1 408')) ended.answered408 += 1;
    else ended.answeredElse += 1;
  });
  return one;
});

setInterval(() => {
  let open = 0;
  for (const one of slow) {
    if (one.socket.readyState === 'open' && one.at > 0) {
      open += 1;
      one.socket.write(one.at < HEAD.length ? (HEAD[one.at] as string) : 'x');
      one.at += 1;
    }
  }
  process.stdout.write(`${JSON.stringify({ open, ...ended })}\n`);
}, PACE_MS);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
