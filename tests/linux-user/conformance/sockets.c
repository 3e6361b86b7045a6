// Sockets: addresses, options, messages with descriptors and credentials, filters, streams of both families.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "say.h"

static void options(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int value = 1, got = 0;
    socklen_t length = sizeof(got);
    CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)));
    CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &got, &length));
    SAY("reuse", "%d %d", got, (int)length);
    CALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
    CALL(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &got, &length));
    SAY("nodelay", "%d", got);
    CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &length));
    SAY("type", "%d", got == SOCK_STREAM);
    length = 2;
    CALL(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &got, &length));
    SAY("short length", "%d", (int)length);
    struct timeval time = {3, 500000}, got_time = {0, 0};
    length = sizeof(got_time);
    CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got_time, &length));
    SAY("timeout", "%ld.%06ld", (long)got_time.tv_sec, (long)got_time.tv_usec);
    struct linger linger = {1, 7}, got_linger = {0, 0};
    length = sizeof(got_linger);
    CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got_linger, &length));
    SAY("linger", "%d %d", got_linger.l_onoff, got_linger.l_linger);
    CALL(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)));
    CALL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2));
    CALL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, sizeof(value)));
    CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, nowhere, &length));
    CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, NULL));
    CALL(getsockopt(-1, SOL_SOCKET, SO_TYPE, &got, &length));
    CALL(getsockopt(0, SOL_SOCKET, SO_TYPE, &got, &length));
    close(fd);
}

static void streams(int family) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address, peer;
    memset(&address, 0, sizeof(address));
    socklen_t length = family == AF_INET ? sizeof(address.in) : sizeof(address.in6);
    address.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.in6.sin6_addr = in6addr_loopback;
    }
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, &address.any, length) != 0) {
        SAY("no such family here", "%d", family == AF_INET);
        return;
    }
    CALL(listen(listener, 5));
    CALL(getsockname(listener, &address.any, &length));
    int client = socket(family, SOCK_STREAM, 0);
    CALL(connect(client, &address.any, length));
    length = 4;
    int server = accept4(listener, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    SAY("accepted", "%d, address of %d bytes, family %d", server >= 0, (int)length, peer.any.sa_family == family);
    SAY("flags", "%d %d", fcntl(server, F_GETFL) & O_NONBLOCK ? 1 : 0, fcntl(server, F_GETFD));
    char text[64] = "";
    CALL(read(server, text, sizeof(text)));
    CALL(send(client, "hello", 5, MSG_NOSIGNAL));
    struct pollfd ready = {server, POLLIN, 0};
    CALL(poll(&ready, 1, -1));
    CALL(recv(server, text, sizeof(text), MSG_PEEK));
    struct iovec parts[2] = {{text, 2}, {text + 8, 10}};
    CALL(readv(server, parts, 2));
    SAY("parts", "%.2s %s", text, text + 8);
    CALL(shutdown(client, SHUT_WR));
    CALL(poll(&ready, 1, -1));
    CALL(read(server, text, sizeof(text)));
    CALL(send(client, "x", 1, MSG_NOSIGNAL));
    CALL(connect(client, &address.any, sizeof(address)));
    CALL(connect(client, nowhere, sizeof(address)));
    close(client);
    close(server);
    close(listener);
}

static void datagrams(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
    socklen_t length = sizeof(own);
    CALL(bind(fd, (struct sockaddr*)&own, length));
    CALL(getsockname(fd, (struct sockaddr*)&own, &length));
    CALL(sendto(fd, "datagram", 8, 0, (struct sockaddr*)&own, length));
    char text[4];
    length = sizeof(from);
    CALL(recvfrom(fd, text, sizeof(text), MSG_TRUNC, (struct sockaddr*)&from, &length));
    SAY("from", "%d %.4s %d", (int)length, text, from.sin_port == own.sin_port);
    struct iovec out[2] = {{"one", 3}, {"three", 5}};
    struct mmsghdr many[2];
    memset(many, 0, sizeof(many));
    for (int i = 0; i < 2; ++i) {
        many[i].msg_hdr.msg_name = &own;
        many[i].msg_hdr.msg_namelen = sizeof(own);
        many[i].msg_hdr.msg_iov = &out[i];
        many[i].msg_hdr.msg_iovlen = 1;
    }
    CALL(sendmmsg(fd, many, 2, 0));
    SAY("sent", "%u %u", many[0].msg_len, many[1].msg_len);
    char got[2][16] = {"", ""};
    struct iovec in[2] = {{got[0], 15}, {got[1], 15}};
    memset(many, 0, sizeof(many));
    for (int i = 0; i < 2; ++i) {
        many[i].msg_hdr.msg_iov = &in[i];
        many[i].msg_hdr.msg_iovlen = 1;
    }
    CALL(recvmmsg(fd, many, 2, 0, NULL));
    SAY("got", "%s %u %s %u", got[0], many[0].msg_len, got[1], many[1].msg_len);
    close(fd);
}

static void messages(void) {
    int ends[2];
    CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    int on = 1, pipe_ends[2];
    CALL(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    DONE(pipe(pipe_ends));
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    memset(&control, 0, sizeof(control));
    char text[16] = "";
    struct iovec part = {"packet", 6};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(header), pipe_ends, sizeof(pipe_ends));
    CALL(sendmsg(ends[0], &message, 0));
    part = (struct iovec){text, 4};
    message.msg_controllen = sizeof(control);
    memset(&control, 0, sizeof(control));
    CALL(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC));
    SAY("message", "%s %d", text, message.msg_flags & MSG_TRUNC ? 1 : 0);
    for (header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(header), sizeof(sender));
            SAY("credentials", "%d %d", sender.pid == getpid(), sender.uid == getuid());
        } else if (header->cmsg_type == SCM_RIGHTS) {
            int passed[2];
            memcpy(passed, CMSG_DATA(header), sizeof(passed));
            SAY("descriptors", "%d", (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int)));
            SAY("close on exec", "%d", fcntl(passed[0], F_GETFD));
            CALL(write(passed[1], "through", 7));
            CALL(read(pipe_ends[0], text, sizeof(text)));
        }
    }
    struct ucred peer;
    socklen_t length = sizeof(peer);
    CALL(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    SAY("peer", "%d %d", peer.pid == getpid(), (int)length);
    message.msg_iov = nowhere;
    CALL(sendmsg(ends[0], &message, 0));
    CALL(sendmsg(ends[0], nowhere, 0));
}

static void names(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"}, got;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof(got);
    CALL(bind(fd, (struct sockaddr*)&name, sizeof(name)));
    CALL(bind(fd, (struct sockaddr*)&name, sizeof(name)));
    CALL(getsockname(fd, (struct sockaddr*)&got, &length));
    SAY("name", "%s %d", got.sun_path, (int)length);
    CALL(access("socket", F_OK));
    CALL(getpeername(fd, (struct sockaddr*)&got, &length));
    CALL(unlink("socket"));
    struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "nobody"};
    CALL(connect(fd, (struct sockaddr*)&nobody, sizeof(nobody)));
    close(fd);
}

static void filters(void) {
    int ends[2];
    char text[16];
    CALL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends));
    // Packets whose first byte is 'a'.
    struct sock_filter program[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 'a'},
        {BPF_RET | BPF_K, 0, 0, 0xffff},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    struct sock_filter got[4];
    struct sock_fprog filter = {4, program};
    CALL(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
    CALL(send(ends[0], "bad", 3, 0));
    CALL(send(ends[0], "all right", 9, 0));
    CALL(recv(ends[1], text, sizeof(text), 0));
    CALL(recv(ends[1], text, sizeof(text), 0));
    socklen_t count = 4;
    CALL(getsockopt(ends[1], SOL_SOCKET, SO_GET_FILTER, got, &count));
    SAY("filter", "%d %d", (int)count, memcmp(got, program, sizeof(program)) == 0);
    filter.filter = nowhere;
    CALL(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
    CALL(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, 8));
    CALL(setsockopt(ends[1], SOL_SOCKET, SO_DETACH_FILTER, NULL, 0));
}

int main(void) {
    options();
    streams(AF_INET);
    streams(AF_INET6);
    datagrams();
    messages();
    names();
    filters();
    CALL(socket(AF_INET, 77, 0));
    CALL(socket(999, SOCK_STREAM, 0));
    return 0;
}
