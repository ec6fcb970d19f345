// An HTTPS server as a team would write it in Go: RequireAndVerifyClientCert, and SIGHUP reads the truststore again.
//
// Each setting comes from an option or, without it, from the environment.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

func setting(name, variable string) *string {
	return flag.String(name, os.Getenv(variable), "default: $"+variable)
}

var (
	host       = setting("host", "MTLS_HOST")
	port       = setting("port", "MTLS_PORT")
	serverCert = setting("server-cert", "MTLS_SERVER_CERT")
	serverKey  = setting("server-key", "MTLS_SERVER_KEY")
	truststore = setting("truststore", "MTLS_TRUSTSTORE")
)

func read() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(*serverCert, *serverKey)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(*truststore)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + *truststore)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

func main() {
	flag.Parse()
	var current atomic.Value
	config, err := read()
	if err != nil {
		log.Fatal(err)
	}
	current.Store(config)

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for range hangup {
			if config, err := read(); err != nil {
				log.Print("reload: ", err)
			} else {
				current.Store(config)
			}
		}
	}()

	front := config.Clone()
	front.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return current.Load().(*tls.Config), nil
	}
	server := &http.Server{
		Addr:      net.JoinHostPort(*host, *port),
		TLSConfig: front,
		Handler: http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
			io.WriteString(response, "hello from Go\n")
		}),
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
