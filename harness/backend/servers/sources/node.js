// The sample of API Gateway's documentation: ca, requestCert, rejectUnauthorized.
const fs = require('fs');
const https = require('https');
const env = process.env;
https.createServer({
  key: fs.readFileSync(env.MTLS_SERVER_KEY),
  cert: fs.readFileSync(env.MTLS_SERVER_CERT),
  ca: fs.readFileSync(env.MTLS_TRUSTSTORE),
  requestCert: true,
  rejectUnauthorized: true,
}, (request, response) => {
  response.writeHead(200);
  response.end('hello world\n');
}).listen(Number(env.MTLS_PORT), env.MTLS_HOST);
