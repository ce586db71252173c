package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Send posts a webhook and returns what was answered, whatever it was.
func Send(ctx context.Context, client *http.Client, url string, header http.Header, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("url %q is not a URL", url)
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, unreachable(req.URL.Scheme+"://"+req.URL.Host, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: answer: %w", url, err)
	}
	return resp, text, nil
}
