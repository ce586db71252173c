package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// frontend is as much of Temporal as a connection needs.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	refuse error
}

func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

// StartWorkflowExecution tells as a run id what it was shown.
func (f *frontend) StartWorkflowExecution(ctx context.Context, _ *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	shown, _ := metadata.FromIncomingContext(ctx)
	run := fmt.Sprint(shown.Get("authorization"), shown.Get("temporal-namespace"))
	return &workflowservice.StartWorkflowExecutionResponse{RunId: run, Started: true}, f.refuse
}

func (f *frontend) serve(t *testing.T, options ...grpc.ServerOption) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// pair writes a certificate that signs itself, and its key.
func pair(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A server that wants certificates and keys gets them, and one that cannot
// show who it is gets nothing.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	server := pair(t, dir, "temporal.test")
	client := pair(t, dir, "gateway.test")
	clients := x509.NewCertPool()
	clients.AddCert(client.Leaf)
	address := new(frontend).serve(t, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12,
	})))
	const whole = `"ca":"temporal.test.pem","server_name":"temporal.test","cert":"gateway.test.pem","key":"gateway.test.key"`
	for _, tt := range []struct{ name, more, want string }{
		{"all of it", `"api_key":"k-1","namespace":"ns","tls":{` + whole + `}`, "[Bearer k-1] [ns]"},
		{"without an API key", `"tls":{` + whole + `}`, "[] []"},
		{"without an authority", `"tls":{"server_name":"temporal.test"}`, "certificate"},
		{"another name", `"tls":{"ca":"temporal.test.pem"}`, "certificate"},
		{"without a certificate", `"tls":{"ca":"temporal.test.pem","server_name":"temporal.test"}`, "start: "},
		{"an API key alone", `"api_key":"k-1"`, "certificate"},
		{"plain", `"namespace":"ns"`, "start: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := configured(t, `{"address":"`+address+`","task_queue":"q","workflows":{"it":{}},`+tt.more+`}`, dir)
			result, err := e.Run(t.Context(), &sdk.Request{Key: "k", Workflow: "it", Attempt: 1})
			got, _ := json.Marshal(result.Output)
			if said := string(got) + fmt.Sprint(err); !strings.Contains(said, tt.want) || (err == nil) != strings.HasPrefix(tt.want, "[") {
				t.Errorf("got %s, want %s", said, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "k-1") || kindOf(err) != "retryable") {
				t.Errorf("%s: %v", kindOf(err), err)
			}
		})
	}
}

// kindOf is how the SDK marked an error.
func kindOf(err error) string {
	permanent := reflect.ValueOf(sdk.Permanent(io.EOF))
	for ; err != nil; err = errors.Unwrap(err) {
		if f := reflect.ValueOf(err); f.Type() == permanent.Type() {
			if f.Elem().FieldByName("kind").Int() == permanent.Elem().FieldByName("kind").Int() {
				return "permanent"
			}
			return "throttled"
		}
	}
	return "retryable"
}

// A fault of the event is for good, all others may pass.
func TestFailure(t *testing.T) {
	f := &frontend{}
	e := configured(t, `{"address":"`+f.serve(t)+`","task_queue":"q","workflows":{"it":{}}}`, "")
	for code, want := range map[codes.Code]string{
		codes.Unavailable: "retryable", codes.Internal: "retryable", codes.PermissionDenied: "retryable", codes.Unauthenticated: "retryable",
		codes.FailedPrecondition: "retryable", codes.DeadlineExceeded: "retryable",
		codes.ResourceExhausted: "throttled", codes.InvalidArgument: "permanent",
	} {
		f.refuse = status.Error(code, "no")
		_, err := e.Run(t.Context(), &sdk.Request{Key: "k", Workflow: "it", Attempt: 1})
		if err == nil || kindOf(err) != want || !strings.HasSuffix(err.Error(), ": no") || strings.Contains(err.Error(), "rpc error") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	text, err := json.Marshal(config{APIKey: "k-1"})
	if all := string(text) + fmt.Sprintf("%v %+v %#v %s", config{APIKey: "k-1"}, config{APIKey: "k-1"}, config{APIKey: "k-1"}, secret("k-1")); err != nil || strings.Contains(all, "k-1") {
		t.Errorf("%s %v", all, err)
	}
}
