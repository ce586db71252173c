package sdktest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// strangerTimeout is what a stranger waits for an answer.
const strangerTimeout = 5 * time.Second

// stranger is somebody else on the machine who found the socket.
func stranger(ctx context.Context, p *host.Process, _ Options) error {
	other, _, err := wire.ClientTLS() // as good as the gateway's, and not the gateway's
	if err != nil {
		return err
	}
	whoever := func(certs ...tls.Certificate) credentials.TransportCredentials {
		return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: certs}) //nolint:gosec // a stranger asks whom he can
	}
	for _, who := range []struct {
		name  string
		shows credentials.TransportCredentials
	}{
		{"without TLS", insecure.NewCredentials()},
		{"without a certificate", whoever()},
		{"with a certificate of his own", whoever(other.Certificates...)},
	} {
		if answersTo(ctx, p, who.shows) {
			return fmt.Errorf("a stranger %s was answered", who.name)
		}
	}
	return nil
}

func answersTo(ctx context.Context, p *host.Process, shows credentials.TransportCredentials) bool {
	addr := p.Client.ReattachConfig().Addr
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
	}
	conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(shows))
	if err != nil {
		return false
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, strangerTimeout)
	defer cancel()
	_, err = enginev1.NewEngineServiceClient(conn).Describe(ctx, &enginev1.DescribeRequest{})
	return err == nil
}
