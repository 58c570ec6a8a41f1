// The same servers with Go's net: `server echo | lines | sink | source BYTES` (see epoll-server.c).
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
)

const bufferBytes = 64 * 1024

func echo(conn net.Conn) {
	buffer := make([]byte, bufferBytes)
	for {
		length, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err = conn.Write(buffer[:length]); err != nil {
			return
		}
	}
}

// Answers are gathered while whole lines are there, and sent before waiting for more.
func lines(conn net.Conn) {
	reader := bufio.NewReaderSize(conn, bufferBytes)
	writer := bufio.NewWriterSize(conn, bufferBytes)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if _, err = writer.WriteString(line); err != nil {
			return
		}
		if reader.Buffered() == 0 {
			if err = writer.Flush(); err != nil {
				return
			}
		}
	}
}

func sink(conn net.Conn) {
	buffer := make([]byte, bufferBytes)
	count := 0
	for {
		length, err := conn.Read(buffer)
		count += length
		if err == io.EOF {
			fmt.Fprint(conn, count)
			return
		}
		if err != nil {
			return
		}
	}
}

func source(conn net.Conn, left int) {
	buffer := make([]byte, bufferBytes)
	for left > 0 {
		length, err := conn.Write(buffer[:min(left, bufferBytes)])
		if err != nil {
			return
		}
		left -= length
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func behaviour(words []string) func(net.Conn) {
	switch {
	case len(words) == 1 && words[0] == "echo":
		return echo
	case len(words) == 1 && words[0] == "lines":
		return lines
	case len(words) == 1 && words[0] == "sink":
		return sink
	case len(words) == 2 && words[0] == "source":
		bytes, err := strconv.Atoi(words[1])
		if err == nil {
			return func(conn net.Conn) { source(conn, bytes) }
		}
	}
	fmt.Fprintln(os.Stderr, "echo, lines, sink or source BYTES is wanted")
	os.Exit(1)
	return nil
}

func main() {
	handle := behaviour(os.Args[1:])
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR2)
	go func() {
		for range collect {
			debug.FreeOSMemory()
		}
	}()
	fmt.Printf("listening on %s\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer conn.Close()
			handle(conn)
		}()
	}
}
