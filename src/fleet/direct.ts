/** Messages that no SDK would send: each alone, straight to the service. */
import { createTransport, type PostAnswer, type Transport } from '@playproof/device';
import type { ToldAnswer } from './ledger.ts';

export interface DirectSender {
  /** Tries until there is an answer about the log itself, at most `tries` times; `later` without a code when there was none. */
  post(text: string): Promise<ToldAnswer>;
  close(): void;
}

/** @param signal ends the waiting between tries. */
export function createDirectSender(baseUrl: string, signal: AbortSignal, tries = 20, waitMs = 250): DirectSender {
  const transports: Transport[] = Array.from({ length: 4 }, () => createTransport());
  const stop = new AbortController();
  let next = 0;
  return {
    async post(text) {
      let answer: ToldAnswer = { outcome: 'later', detail: 'never sent' };
      for (let attempt = 0; attempt < tries; attempt += 1) {
        const transport = transports[next++ % transports.length] as Transport;
        try {
          const headers = { 'device-time': new Date().toISOString() };
          const request = { url: `${baseUrl}/api/v1/playback-logs`, body: text, headers, timeoutMs: 15_000, signal: stop.signal };
          answer = readAnswer(await transport.post(request));
          if (answer.outcome !== 'later' || answer.code !== undefined) return answer;
        } catch (error) {
          answer = { outcome: 'later', detail: error instanceof Error ? error.message : String(error) };
        }
        if (signal.aborted || stop.signal.aborted) break;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
      return answer;
    },
    close() {
      stop.abort();
      for (const transport of transports) transport.close();
    },
  };
}

function readAnswer({ status, body }: PostAnswer): ToldAnswer {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return { outcome: 'later', detail: `HTTP ${status} without JSON` };
  }
  const text = (name: string): string | undefined => (typeof document[name] === 'string' ? document[name] : undefined);
  const outcome = text('outcome');
  const [told, received, code, detail] = [text('status'), text('received_at'), text('code'), text('detail')];
  if ((status === 200 || status === 202) && (outcome === 'accepted' || outcome === 'duplicate')) {
    return {
      outcome,
      ...(told !== undefined && { status: told }),
      ...(typeof document['billable'] === 'boolean' && { billable: document['billable'] }),
      ...(received !== undefined && { receivedAt: received }),
    };
  }
  if (code === undefined || status >= 500 || status === 429 || status === 408)
    return { outcome: 'later', detail: `HTTP ${status} ${code ?? ''}` };
  return { outcome: document['retryable'] === false ? 'refused' : 'later', code, ...(detail !== undefined && { detail }) };
}
