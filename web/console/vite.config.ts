import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// WEB_OUTPUT: another folder. CONSOLE: what `npm run dev` asks for the API; a running stack's console instead of the mock is http://localhost:1337.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: process.env.WEB_OUTPUT ?? '../../artifacts/web/console',
    emptyOutDir: true,
    target: 'es2023',
    // The content security policy allows no scripts, styles and fonts but files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    port: 4338,
    proxy: {
      '/api': {
        target: process.env.CONSOLE ?? 'http://localhost:4337',
        changeOrigin: true,
        configure: (proxy) => proxy.on('proxyReq', (request) => { request.removeHeader('origin'); request.removeHeader('sec-fetch-site') }),
      },
    },
  },
})
