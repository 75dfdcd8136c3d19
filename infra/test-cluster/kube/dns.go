package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// Of CoreDNS's plugins, those that a cluster's DNS needs.
func init() {
	dnsserver.Directives = []string{"bind", "errors", "kubernetes"}
}
