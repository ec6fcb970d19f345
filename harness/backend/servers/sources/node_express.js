// Express with the middleware that API Gateway's documentation names: refusal by HTTP 401.
const fs = require('fs');
const https = require('https');
const express = require('express');
const clientCertificateAuth = require('client-certificate-auth');
const env = process.env;

const app = express();
app.disable('x-powered-by');
app.use(clientCertificateAuth((certificate) => true));
app.use((request, response) => response.send('hello world\n'));
app.use((error, request, response, next) => response.status(error.status || 500).send(`${error.message}\n`));

https.createServer({
  key: fs.readFileSync(env.MTLS_SERVER_KEY),
  cert: fs.readFileSync(env.MTLS_SERVER_CERT),
  ca: fs.readFileSync(env.MTLS_TRUSTSTORE),
  requestCert: true,
  rejectUnauthorized: false, // so that the middleware can answer
}, app).listen(Number(env.MTLS_PORT), env.MTLS_HOST);
