# The consumer in Rust. In the root of the clone: docker build -f infra/docker/consumer-rust.Dockerfile -t disparo-consumer-rust .
# Both images of the same Debian: the binary is linked to the build image's glibc.
ARG BUILD_IMAGE=rust:1.95.0-slim-bookworm
ARG BASE_IMAGE=debian:12.14-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build/consumer/rust
COPY consumer/contract /build/consumer/contract
COPY consumer/rust/Cargo.toml consumer/rust/Cargo.lock ./
COPY consumer/rust/src src
# Dependencies are compiled once a machine, and not once a change of the source.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/consumer/rust/target \
    cargo build --release --locked && cp target/release/consumer /consumer

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
