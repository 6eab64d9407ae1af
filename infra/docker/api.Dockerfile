# The API as a plain server, with the dispatcher inside. In the root of the clone:
#   docker build -f infra/docker/api.Dockerfile -t disparo-api .
ARG BUILD_IMAGE=node:24.21.0-bookworm-slim
ARG BASE_IMAGE=node:24.21.0-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY consumer/contract/package.json consumer/contract/
COPY consumer/typescript/package.json consumer/typescript/
# No scripts: what they fetch is for local services and tests.
RUN --mount=type=cache,target=/cache npm ci --cache /cache --ignore-scripts
COPY tsconfig.base.json ./
COPY consumer/contract consumer/contract
COPY functions functions
COPY infra/docker/api.tsconfig.json infra/docker/
RUN node node_modules/typescript/bin/tsc -b infra/docker/api.tsconfig.json

FROM ${BUILD_IMAGE} AS packages
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY consumer/contract/package.json consumer/contract/
COPY consumer/typescript/package.json consumer/typescript/
RUN --mount=type=cache,target=/cache npm ci --cache /cache --ignore-scripts --omit=dev

FROM ${BASE_IMAGE}
ENV NODE_ENV=production API_HOST=0.0.0.0 API_PORT=3000
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY consumer/contract/package.json consumer/contract/*.sql consumer/contract/*.json consumer/contract/
COPY --from=build /build/consumer/contract/dist consumer/contract/dist
COPY --from=build /build/dist/functions dist/functions
COPY infra/postgres/migrations infra/postgres/migrations
# .env.example tells where the root is, from which the migrations are found. Nothing in it is read.
COPY package.json .env.example ./
# For a JWT_SECRET that is made here, where none is given and NODE_ENV is not production: make it a volume to keep it.
RUN mkdir .local && chown 1000:1000 .local
EXPOSE 3000
USER 1000:1000
# A store that is away makes it unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", \
    "fetch(`http://127.0.0.1:${process.env.API_PORT}/api/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/functions/server.js"]
