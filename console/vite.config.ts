import { defineConfig } from 'vite';

/** Where the service serves it. */
const BASE = '/console/';

export default defineConfig({
  base: BASE,
  // Nothing is loaded from elsewhere, nothing is written into the page: the service's Content-Security-Policy allows neither.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
});
