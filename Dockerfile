# The image of the pipe: one static binary and its papers. `.ci/image` builds it, and hands over the version.
FROM rust:1.95-slim-bookworm AS build
ARG VERSION
WORKDIR /src
COPY . .
# The target is named, so that the flags do not reach build scripts and macros. ring's C code needs the compiler that
# the official image brings; nothing else is installed.
RUN target=$(rustc --print host-tuple) \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --bin databricks-deploy --target "$target" \
    && mkdir /image \
    && install -m 0755 "target/$target/release/databricks-deploy" /image/ \
    && install -m 0644 pipe.yml README.md LICENSE.txt THIRD-PARTY.txt /image/ \
    && test "$(/image/databricks-deploy --version)" = "databricks-deploy $VERSION"

FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="databricks-deploy" \
      org.opencontainers.image.description="A Bitbucket Pipe that deploys notebooks and jobs to Databricks, runs them, and tells what happened" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="https://bitbucket.org/brickpipe/databricks-deploy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="brickpipe"
COPY --from=build /image/ /
# No USER: Bitbucket's engine maps root to a user without rights, and a pipe of another user could not write to the clone.
ENTRYPOINT ["/databricks-deploy"]
