import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// WEB_OUTPUT: another folder, as for an image. GATEWAY: what `npm run dev` asks for the API.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: process.env.WEB_OUTPUT ?? '../../artifacts/web/storefront',
    emptyOutDir: true,
    target: 'es2022',
    // Inlined scripts and fonts would need a looser Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    port: 3001,
    proxy: { '/api': { target: process.env.GATEWAY ?? 'http://localhost:8080' } },
  },
})
