// net/http as its documentation shows it, with RequireAndVerifyClientCert.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	pem, err := os.ReadFile(os.Getenv("MTLS_TRUSTSTORE"))
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatal("no certificate in the truststore")
	}
	server := &http.Server{
		Addr: net.JoinHostPort(os.Getenv("MTLS_HOST"), os.Getenv("MTLS_PORT")),
		TLSConfig: &tls.Config{
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  pool,
			MinVersion: tls.VersionTLS12,
		},
		Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			io.Copy(io.Discard, request.Body)
			io.WriteString(response, "hello from Go\n")
		}),
	}
	log.Fatal(server.ListenAndServeTLS(os.Getenv("MTLS_SERVER_CERT"), os.Getenv("MTLS_SERVER_KEY")))
}
