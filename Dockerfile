# The headwater command: gateway, ship, worker, stats, query, doctor, … docs/guide/distributed.md

FROM node:22.23.3-bookworm-slim AS build
WORKDIR /opt/headwater
COPY . .
# What only tests need is not built: its workspaces are here by their package.json alone.
RUN npm ci --ignore-scripts --no-audit --no-fund \
 && npx tsc -b core gateway processor cli \
 && npm run build --workspace @headwater/sdk \
 && rm -rf node_modules \
 && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace @headwater/cli

FROM node:22.23.3-bookworm-slim
ENV NODE_ENV=production TZ=UTC HEADWATER_DATA_DIR=/data
COPY --from=build /opt/headwater /opt/headwater
RUN ln -s /opt/headwater/cli/bin/headwater.js /usr/local/bin/headwater \
 && install -d -o node -g node -m 0750 /data \
 && install -d /etc/headwater
# headwater.yaml is looked for here.
WORKDIR /etc/headwater
USER node
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/headwater/cli/dist/main.js"]
CMD ["start"]
