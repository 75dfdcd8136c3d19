/** Where the user keeps caches, if elsewhere than usual. */
export const cacheFolder = process.env.XDG_CACHE_HOME || undefined;
