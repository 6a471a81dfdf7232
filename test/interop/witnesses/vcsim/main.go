// vcsim starts govmomi's simulator of a vCenter, or with -esx that of a single ESXi host, unmodified, on a free port of
// the loopback interface, says where it listens with one line of JSON, and ends when its stdin closes.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

func main() {
	esx := flag.Bool("esx", false, "a single ESXi host instead of a vCenter")
	user := flag.String("user", "connector", "account")
	flag.Parse()
	model := simulator.VPX()
	if *esx {
		model = simulator.ESX()
	}
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	model.Service.TLS = new(tls.Config)
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(*user, os.Getenv("LAB_PASSWORD"))}
	server := model.Service.NewServer()
	defer server.Close()
	fingerprint := sha256.Sum256(server.Certificate().Raw)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"ready":       true,
		"url":         "https://" + server.URL.Host,
		"user":        *user,
		"fingerprint": hex.EncodeToString(fingerprint[:]),
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
}
