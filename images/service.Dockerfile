# One image for each service in C#:  docker build -f images/service.Dockerfile --build-arg SERVICE=orders -t daprplatform/orders:1.0.0 .
# The root file system may be read only; /tmp is all that is written (docker run --read-only --tmpfs /tmp).
# The gateway's has the pages of the shop beside the program.
FROM node:20-bookworm-slim AS web
ARG SERVICE
WORKDIR /src/web/storefront
COPY web/build ../build
COPY services/gateway/openapi.json ../../services/gateway/
COPY web/storefront ./
RUN mkdir /web && if [ "${SERVICE}" = gateway ]; then npm ci --no-audit --no-fund && WEB_OUTPUT=/web/storefront npm run build; fi

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG SERVICE
WORKDIR /src
COPY global.json NuGet.config Directory.Build.props Directory.Build.targets Directory.Packages.props .editorconfig ./
COPY protos protos
COPY sdk sdk
COPY workflows workflows
COPY services services
RUN test -f "services/${SERVICE}/${SERVICE}.csproj"
RUN dotnet publish "services/${SERVICE}/${SERVICE}.csproj" -c Release -o /app -p:UseAppHost=true \
    && ln -s "$(basename /app/*.runtimeconfig.json .runtimeconfig.json)" /app/service

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build --chown=0:0 /app .
COPY --from=web --chown=0:0 /web .
ENV ASPNETCORE_ENVIRONMENT=Production LISTEN_ON_ALL=true METRICS_PORT=8081 DOTNET_EnableDiagnostics=0
EXPOSE 8081
# No root, and nobody who owns a file of the image.
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$METRICS_PORT && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/app/service"]
