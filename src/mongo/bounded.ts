export class TookTooLong extends Error {
  override readonly name = 'TookTooLong';
}

/**
 * What `work` gives, or TookTooLong after `ms`. The work goes on: whoever gives up does not know whether it happened. Its later
 * failure is dropped, because nobody is there to hear it.
 */
export async function bounded<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const result = work();
  const tooLong = Promise.withResolvers<never>();
  const timer = setTimeout(() => tooLong.reject(new TookTooLong(`no answer within ${ms} ms`)), ms);
  result.catch(() => {});
  try {
    return await Promise.race([result, tooLong.promise]);
  } finally {
    clearTimeout(timer);
  }
}
