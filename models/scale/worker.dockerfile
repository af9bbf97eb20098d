# The image of the service (models/service/README.md) with the packages that a queue needs.
FROM node:24-trixie-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libvulkan1 mesa-vulkan-drivers libegl1 libxext6 \
  && rm -rf /var/lib/apt/lists/*
RUN npm install --global bun@1.4.5
WORKDIR /app
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production && bun add --exact --no-save bullmq@6.7.0 ioredis@6.0.0
COPY cli cli
COPY engine engine
COPY models models
COPY shaders shaders
USER node
ENV XDG_CACHE_HOME=/tmp
ENTRYPOINT ["bun", "cli/main.ts"]
CMD ["worker", "--http", "0.0.0.0:9090"]
