/** What the promise comes to, when it does so in time. @throws {Error} when it does not */
export async function within<TResult>(milliseconds: number, promise: Promise<TResult>): Promise<TResult> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
