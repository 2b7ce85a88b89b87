package loadgen

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// SourcesMax bounds the source addresses of a run; 1,000 addresses are 28 million ports.
const SourcesMax = 100_000

// sources is a run of local addresses to connect from. One address has no more than the ports of
// net.ipv4.ip_local_port_range towards one listener; 127/8 has 16 million addresses.
type sources struct {
	first netip.Addr
	count int // 0: let the kernel choose
}

// newSources decides from where to connect. Only a target in 127/8 gets addresses by itself; ports is how many local ports
// one address has.
func newSources(p *Plan, target netip.Addr, ports int) (sources, error) {
	loopback := target.Is4() && target.IsLoopback()
	count := p.Sources
	if count == 0 {
		if !loopback {
			if p.Connections > ports {
				return sources{}, planError("connections", "%d from one address do not fit into the %d ports of net.ipv4.ip_local_port_range; "+
					"give --sources and --source-first, or widen the range: sysctl -w net.ipv4.ip_local_port_range='1024 65535'", p.Connections, ports)
			}
			return sources{}, nil
		}
		// A port that closed lately is not free at once, so half of them are left alone.
		count = 1 + 2*p.Connections/max(ports, 1)
	}
	first, err := netip.ParseAddr(p.SourceFirst)
	if err != nil || !first.Is4() {
		return sources{}, planError("source-first", "%q is not an IPv4 address", p.SourceFirst)
	}
	if first.IsLoopback() != loopback {
		return sources{}, planError("source-first", "%v cannot reach %v: one is in 127/8, the other is not", first, target)
	}
	s := sources{first: first, count: count}
	if last := s.at(count - 1); !last.IsValid() || last.IsLoopback() != loopback {
		return sources{}, planError("sources", "%d addresses from %v on leave the network", count, first)
	}
	return s, nil
}

// at is the nth address. Addresses that end in 0 or 255 are passed over: outside 127/8 they are networks and broadcasts.
func (s sources) at(n int) netip.Addr {
	b := s.first.As4()
	v := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	low := v & 0xff
	if low == 0 {
		low = 1
	}
	i := low - 1 + uint64(n) // 254 usable addresses in each /24
	v = v&^0xff + i/254<<8 + i%254 + 1
	if v > 0xffffffff {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// of is the address that a connection begins to try from; try counts the addresses that had no port left.
func (s sources) of(conn, try int) netip.Addr { return s.at((conn + try) % s.count) }

// localPorts is the number of ports in net.ipv4.ip_local_port_range.
func localPorts() int {
	const usual = 60999 - 32768 + 1
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	f := strings.Fields(string(text))
	if len(f) != 2 {
		return usual
	}
	low, err1 := strconv.Atoi(f[0])
	high, err2 := strconv.Atoi(f[1])
	if err1 != nil || err2 != nil || high < low {
		return usual
	}
	return high - low + 1
}

// resolve turns host:port into an address, IPv4 where there is one.
func resolve(hostport string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", port)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var found netip.Addr
	for _, ip := range ips {
		a, ok := netip.AddrFromSlice(ip)
		if a = a.Unmap(); ok && (!found.IsValid() || (a.Is4() && !found.Is4())) {
			found = a
		}
	}
	if !found.IsValid() {
		return netip.AddrPort{}, fmt.Errorf("%q has no address", host)
	}
	return netip.AddrPortFrom(found, uint16(n)), nil
}
