# The consumer in Go. In the root of the clone: docker build -f infra/docker/consumer-go.Dockerfile -t disparo-consumer-go .
ARG BUILD_IMAGE=golang:1.26.8-bookworm
ARG BASE_IMAGE=debian:12.14-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build/consumer/go
COPY consumer/contract /build/consumer/contract
COPY consumer/go/go.mod consumer/go/go.sum ./
COPY consumer/go/cmd cmd
COPY consumer/go/internal internal
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    GOCACHE=/cache CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /consumer ./cmd/consumer

FROM ${BASE_IMAGE}
# Of the authorities that sign the certificates of CloudAMQP and Atlas.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /consumer /usr/local/bin/consumer
ENV METRICS_PORT=9464
EXPOSE 9464
USER 1000:1000
WORKDIR /
# bash speaks TCP by itself: no other program is needed in the image. A store that is away makes it unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/$METRICS_PORT && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
CMD ["consumer"]
