// Command bare is an engine that is written from the text of the contract
// alone, without the SDK, as one in another language is. On request it has a
// defect for the suite to find.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// defect is whether the engine was asked to have this one.
func defect(name string) bool { return slices.Contains(defects, name) }

var defects = strings.Split(os.Getenv("DEFECTS"), ",")

func main() {
	if os.Getenv("EVENT_GATEWAY_ENGINE") != "b1a5c2f0-engine-v1" && !defect("starts-by-hand") {
		if !defect("silent-by-hand") {
			fmt.Fprintln(os.Stderr, "bare is a workflow engine: name it in gateway.yaml")
		}
		os.Exit(1)
	}
	if !defect("interruptible") {
		signal.Ignore(os.Interrupt)
	}
	e := newEngine()
	if !defect("orphan") {
		go e.exitWithParent(os.Getppid())
	}
	if err := serve(e); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitWithParent ends what the runs have started, too: nobody else would.
func (e *engine) exitWithParent(parent int) {
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	if !defect("orphans") {
		e.stopAll()
	}
	for len(running) > 0 && !defect("orphans") {
		time.Sleep(10 * time.Millisecond)
	}
	os.Exit(1)
}

func serve(e *engine) error {
	listener, err := net.Listen("unix", filepath.Join(socketFolder(), fmt.Sprintf("bare-%d", os.Getpid())))
	if err != nil {
		return err
	}
	limit := maxMessage()
	var options []grpc.ServerOption
	if !defect("small") { // gRPC's own limit is 4 MiB
		options = append(options, grpc.MaxRecvMsgSize(limit+1<<20), grpc.MaxSendMsgSize(limit+1<<20))
	}
	certificate := ""
	if client := os.Getenv("PLUGIN_CLIENT_CERT"); client != "" {
		config, der, err := mutual(client)
		if err != nil {
			return err
		}
		options, certificate = append(options, grpc.Creds(credentials.NewTLS(config))), base64.RawStdEncoding.EncodeToString(der)
	} else if defect("tls-only") {
		return fmt.Errorf("there is no PLUGIN_CLIENT_CERT")
	}
	server := grpc.NewServer(options...)
	register(server, e)
	if defect("talks-first") {
		fmt.Println("bare engine, version 1")
	}
	fmt.Printf("1|%d|unix|%s|grpc|%s\n", version(), listener.Addr(), certificate)
	return server.Serve(listener)
}

func maxMessage() int {
	limit, _ := strconv.Atoi(os.Getenv("GATEWAY_MAX_MESSAGE_BYTES"))
	return limit
}

func socketFolder() string {
	if dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR"); dir != "" {
		return dir
	}
	return os.TempDir()
}

// version is the newest that both sides know.
func version() int {
	best := 1
	if defect("newest") {
		for _, v := range strings.Split(os.Getenv("PLUGIN_PROTOCOL_VERSIONS"), ",") {
			n, _ := strconv.Atoi(v)
			best = max(best, n)
		}
	}
	return best
}

// mutual makes a certificate of our own and demands the gateway's.
func mutual(client string) (*tls.Config, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(client))
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12,
	}
	if defect("credulous-tls") {
		config.ClientAuth = tls.NoClientCert
	}
	return config, der, nil
}

func register(server *grpc.Server, e *engine) {
	enginev1.RegisterEngineServiceServer(server, e)
	if !defect("unhealthy") {
		h := health.NewServer()
		h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
		if defect("not-serving") {
			h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		}
		grpc_health_v1.RegisterHealthServer(server, h)
	}
	if !defect("no-shutdown") {
		server.RegisterService(&controller, nil)
	}
}

// controller is go-plugin's service plugin.GRPCController, whose messages are
// empty.
var controller = grpc.ServiceDesc{
	ServiceName: "plugin.GRPCController", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Shutdown", Handler: shutdown}},
}

// running counts the runs under way.
var running = make(chan struct{}, 1<<10)

func shutdown(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
	go func() {
		for defect("busy-shutdown") && len(running) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // the answer is on its way
		os.Exit(0)
	}()
	return &emptypb.Empty{}, nil
}
