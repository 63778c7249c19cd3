package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Each printed address answers, and nobody can be made to listen to strangers.
func TestServesWhatItPrints(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	port := "127.0.0.1:0"
	go func() {
		ended <- run(ctx, []string{"-github", port, "-google", port, "-huggingface", port}, write)
		write.Close()
	}()
	text := make([]byte, 64<<10)
	n, err := read.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	printed := regexp.MustCompile(`(?m)^(\S.*): (http://\S+)$`).FindAllStringSubmatch(string(text[:n]), -1)
	if len(printed) != 3 {
		t.Fatalf("printed was %s", text[:n])
	}
	for i, client := range []string{"gatehouse-github", "gatehouse-google", "gatehouse-hf"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, printed[i][2]+"/control/token?as=ada&client="+client, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := new(http.Client).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d", printed[i][1], res.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	err = run(t.Context(), []string{"-github", "0.0.0.0:0"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening to strangers: %v", err)
	}
}
