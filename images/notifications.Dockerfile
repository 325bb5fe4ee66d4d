# docker build -f images/notifications.Dockerfile -t daprplatform/notifications:1.0.0 .
FROM node:20-bookworm-slim AS build
WORKDIR /src
COPY services/notifications/package.json services/notifications/package-lock.json services/notifications/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY services/notifications/tsconfig.json ./
COPY services/notifications/src src
COPY services/notifications/templates templates
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
WORKDIR /app
COPY --from=build --chown=0:0 /src/node_modules node_modules
COPY --from=build --chown=0:0 /src/dist dist
COPY --from=build --chown=0:0 /src/package.json .
ENV NODE_ENV=production LISTEN_ON_ALL=true APP_PORT=3005
EXPOSE 3005
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.APP_PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
