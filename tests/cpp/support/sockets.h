// A connected pair of non-blocking sockets and a few helpers around it. No test may live here.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

struct SocketPair {
    SocketPair() {
        // No Catch2 macro: they may not be used on several threads.
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    }
    SocketPair(const SocketPair&) = delete;
    ~SocketPair() {
        close_end(0);
        close_end(1);
    }
    void close_end(int i) {
        if (ends[i] >= 0) ::close(ends[i]);
        ends[i] = -1;
    }
    void send(char byte) {
        if (::write(ends[1], &byte, 1) != 1) std::abort();
    }

    int ends[2] = {-1, -1};  // 0: ours, 1: the server's
};

// Is there something to read within that time?
inline bool readable(int descriptor, int milliseconds = 0) {
    pollfd entry{descriptor, POLLIN, 0};
    return poll(&entry, 1, milliseconds) == 1;
}
