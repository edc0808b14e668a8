# Playproof with its Kafka client: for the profiles edge and cluster, and it runs embedded too. compose.yaml uses it.
#
# Not built where the project's own tests run: those have no containers. Each step is what the README and engines/README.md say.

FROM node:26-bookworm AS build
WORKDIR /app
COPY . .
# Builds the console as well.
RUN npm ci
# Fetches the published binary of the client for this Node. Where there is none, replace this with: npm run engines:install -- kafka-client
RUN cd engines/kafka-client && npm ci
RUN npm prune --omit=dev --ignore-scripts

# Not the slim one: chDB and the Kafka client are native and load the system's libraries.
FROM node:26-bookworm
ENV NODE_ENV=production \
    PLAYPROOF_HTTP_HOST=0.0.0.0 \
    PLAYPROOF_DATA_DIR=/data
COPY --from=build /app /app
RUN mkdir /data && chown node:node /data
WORKDIR /data
USER node
VOLUME /data
EXPOSE 8080
# No shell stands in between: SIGTERM reaches the service, which stops in order.
ENTRYPOINT ["node", "/app/bin/playproof.mjs"]
CMD ["start"]
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
