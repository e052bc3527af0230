# syntax=docker/dockerfile:1
# The images, for who has a container engine:
#   docker build --target webhook    -t ghcr.io/gamewarden/webhook:0.1.0 .
#   docker build --target reconciler -t ghcr.io/gamewarden/reconciler:0.1.0 .
# (`make images` makes the same without one.)

FROM rust:1.95 AS build
WORKDIR /src
COPY . .
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
 && cargo build --release --locked --config .cargo/static.toml --target "$target" \
      -p webhook -p reconciler \
 && install -D "target/$target/release/webhook" /out/webhook \
 && install -D "target/$target/release/reconciler" /out/reconciler

FROM scratch AS webhook
COPY --from=build /out/webhook /webhook
USER 65532:65532
ENTRYPOINT ["/webhook"]

FROM scratch AS reconciler
COPY --from=build /out/reconciler /reconciler
USER 65532:65532
ENTRYPOINT ["/reconciler"]
