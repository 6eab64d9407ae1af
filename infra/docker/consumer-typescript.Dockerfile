# The consumer in TypeScript. In the root of the clone:
#   docker build -f infra/docker/consumer-typescript.Dockerfile -t disparo-consumer-typescript .
ARG BUILD_IMAGE=node:24.21.0-bookworm-slim
ARG BASE_IMAGE=node:24.21.0-bookworm-slim

# As in api.Dockerfile, up to its sources: Docker builds these layers once for both.
FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY consumer/contract/package.json consumer/contract/
COPY consumer/typescript/package.json consumer/typescript/
# No scripts: what they fetch is for local services and tests.
RUN --mount=type=cache,target=/cache npm ci --cache /cache --ignore-scripts
COPY tsconfig.base.json ./
COPY consumer/contract consumer/contract
COPY consumer/typescript consumer/typescript
RUN node node_modules/typescript/bin/tsc -b consumer/typescript

FROM ${BUILD_IMAGE} AS packages
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY consumer/contract/package.json consumer/contract/
COPY consumer/typescript/package.json consumer/typescript/
RUN --mount=type=cache,target=/cache npm ci --cache /cache --ignore-scripts --omit=dev -w @disparo/consumer -w @disparo/contract

FROM ${BASE_IMAGE}
ENV NODE_ENV=production METRICS_PORT=9464
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY consumer/contract/package.json consumer/contract/*.sql consumer/contract/*.json consumer/contract/
COPY --from=build /build/consumer/contract/dist consumer/contract/dist
COPY consumer/typescript/package.json consumer/typescript/
COPY --from=build /build/consumer/typescript/dist consumer/typescript/dist
EXPOSE 9464
USER 1000:1000
# A store that is away makes it unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", \
    "fetch(`http://127.0.0.1:${process.env.METRICS_PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "consumer/typescript/dist/main.js"]
