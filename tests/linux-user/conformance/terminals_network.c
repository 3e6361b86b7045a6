// Structs that ioctl, socket options and control messages carry: terminals, network interfaces, protocols, the kernel's own sockets.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>

#include "say.h"

static volatile int changed;

static void on_change(int signal) { changed = signal; }

static void terminals(void) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    int number = -1;
    int locked = 0;
    CALL(ioctl(master, TIOCSPTLCK, &locked));
    CALL(ioctl(master, TIOCGPTLCK, &locked));
    CALL(ioctl(master, TIOCGPTN, &number));
    SAY("number", "%d", number >= 0);
    const int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    SAY("terminal", "%d", terminal >= 0);
    struct termios settings;
    memset(&settings, 0x5a, sizeof(settings));
    CALL(tcgetattr(terminal, &settings));
    SAY("settings", "%x %x %x %x %d", settings.c_iflag, settings.c_oflag, settings.c_cflag, settings.c_lflag, settings.c_cc[VINTR]);
    settings.c_lflag &= ~(tcflag_t)ECHO;
    CALL(tcsetattr(terminal, TCSADRAIN, &settings));
    CALL(cfsetspeed(&settings, B9600));
    CALL(tcsetattr(terminal, TCSANOW, &settings));
    CALL(tcgetattr(terminal, &settings));
    SAY("speed", "%d %d", cfgetospeed(&settings) == B9600, (settings.c_lflag & ECHO) == 0);
    CALL(tcflush(terminal, TCIOFLUSH));
    CALL(tcdrain(terminal));
    CALL(tcsendbreak(terminal, 0));
    CALL(tcflow(terminal, TCOON));
    struct winsize size = {.ws_row = 33, .ws_col = 99, .ws_xpixel = 3, .ws_ypixel = 4};
    CALL(ioctl(master, TIOCSWINSZ, &size));
    size = (struct winsize){0, 0, 0, 0};
    CALL(ioctl(terminal, TIOCGWINSZ, &size));
    SAY("size", "%d %d %d %d", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    CALL(ioctl(terminal, TIOCGWINSZ, nowhere));
    CALL(ioctl(terminal, TCGETS, nowhere));
    char text[32] = "";
    CALL(write(master, "line\n", 5));
    // What is written becomes input a moment later.
    struct pollfd poll_of = {.fd = terminal, .events = POLLIN};
    CALL(poll(&poll_of, 1, -1));
    int waiting = 0;
    CALL(ioctl(terminal, FIONREAD, &waiting));
    SAY("waiting", "%d", waiting);
    CALL(read(terminal, text, sizeof(text)));
    SAY("line", "%.4s", text);
    int value = 1;
    CALL(ioctl(master, TIOCPKT, &value));
    CALL(write(terminal, "x", 1));
    CALL(read(master, text, sizeof(text)));
    SAY("packet", "%d %c", text[0], text[1]);
    CALL(ioctl(terminal, TIOCOUTQ, &value));
    CALL(ioctl(terminal, TIOCGETD, &value));
    SAY("discipline", "%d", value);
    CALL(ioctl(terminal, TIOCEXCL, 0));
    CALL(ioctl(terminal, TIOCGEXCL, &value));
    SAY("exclusive", "%d", value);
    CALL(ioctl(terminal, TIOCNXCL, 0));
    CALL(ioctl(terminal, TIOCMGET, &value));
    // Its session's, in a process that leads one.
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGWINCH, on_change);
        CALL(setsid() == getpid());
        CALL(tcgetpgrp(terminal));
        CALL(ioctl(terminal, TIOCSCTTY, 0));
        CALL(tcgetsid(terminal) == getpid());
        CALL(tcgetpgrp(terminal) == getpgrp());
        size.ws_row = 44;
        CALL(ioctl(master, TIOCSWINSZ, &size));
        SAY("told", "%d", changed == SIGWINCH);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        CALL(write(master, "\003", 1));
        siginfo_t info;
        CALL(sigwaitinfo(&set, &info) == SIGINT);
        SAY("interrupted", "%d", info.si_code);
        CALL(open("/dev/tty", O_RDWR) >= 0);
        CALL(ioctl(terminal, TIOCSPGRP, &(int){-1}));
        signal(SIGHUP, SIG_IGN);
        CALL(ioctl(terminal, TIOCNOTTY, 0));
        CALL(open("/dev/tty", O_RDWR));
        _exit(0);
    }
    say_end("child", wait_for(child));
    close(master);
    CALL(read(terminal, text, 1));
    CALL(write(terminal, "x", 1));
    close(terminal);
}

static void interfaces(void) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request;
    memset(&request, 0, sizeof(request));
    strcpy(request.ifr_name, "lo");
    CALL(ioctl(fd, SIOCGIFINDEX, &request));
    const int index = request.ifr_ifindex;
    CALL(ioctl(fd, SIOCGIFFLAGS, &request));
    SAY("flags", "%d", (request.ifr_flags & IFF_LOOPBACK) != 0);
    CALL(ioctl(fd, SIOCGIFMTU, &request));
    SAY("mtu", "%d", request.ifr_mtu);
    CALL(ioctl(fd, SIOCGIFHWADDR, &request));
    SAY("kind", "%d", request.ifr_hwaddr.sa_family);
    CALL(ioctl(fd, SIOCGIFADDR, &request));
    SAY("address", "%s", inet_ntoa(((struct sockaddr_in*)&request.ifr_addr)->sin_addr));
    memset(&request, 0, sizeof(request));
    request.ifr_ifindex = index;
    CALL(ioctl(fd, SIOCGIFNAME, &request));
    SAY("name", "%s", request.ifr_name);
    strcpy(request.ifr_name, "nothing");
    CALL(ioctl(fd, SIOCGIFINDEX, &request));
    CALL(ioctl(fd, SIOCGIFINDEX, nowhere));
    // A list behind a pointer.
    struct ifreq list[64];
    struct ifconf all = {.ifc_len = sizeof(list), .ifc_req = list};
    CALL(ioctl(fd, SIOCGIFCONF, &all));
    int loopback = 0;
    for (int i = 0; i < all.ifc_len / (int)sizeof(list[0]); ++i) {
        loopback += strcmp(list[i].ifr_name, "lo") == 0;
    }
    SAY("loopback", "%d", loopback);
    all = (struct ifconf){.ifc_len = 0, .ifc_req = NULL};
    CALL(ioctl(fd, SIOCGIFCONF, &all));
    SAY("size", "%d", all.ifc_len > 0 && all.ifc_len % (int)sizeof(list[0]) == 0);
    all = (struct ifconf){.ifc_len = sizeof(list), .ifc_req = nowhere};
    CALL(ioctl(fd, SIOCGIFCONF, &all));
    CALL(ioctl(fd, SIOCGIFCONF, nowhere));
    struct if_nameindex* const names = if_nameindex();
    SAY("names", "%d", names != NULL);
    if_freenameindex(names);
    close(fd);
}

static void protocols(void) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    CALL(bind(listener, (struct sockaddr*)&address, length));
    CALL(listen(listener, 1));
    CALL(getsockname(listener, (struct sockaddr*)&address, &length));
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    CALL(connect(client, (struct sockaddr*)&address, length));
    const int server = accept(listener, (struct sockaddr*)&address, &length);
    SAY("accepted", "%d %d", server >= 0, (int)length);
    CALL(accept(minus_one, NULL, NULL));
    struct tcp_info info;
    length = sizeof(info);
    memset(&info, 0x5a, sizeof(info));
    CALL(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length));
    SAY("state", "%d %d %d", info.tcpi_state, (int)length, info.tcpi_rto > 0);
    char text[16] = "";
    length = sizeof(text);
    CALL(setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    CALL(getsockopt(client, IPPROTO_TCP, TCP_CONGESTION, text, &length));
    SAY("congestion", "%s %d", text, (int)length);
    int value = 123;
    CALL(setsockopt(client, IPPROTO_TCP, TCP_KEEPIDLE, &value, sizeof(value)));
    CALL(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)));
    length = sizeof(value);
    CALL(getsockopt(client, SOL_SOCKET, SO_RCVBUF, &value, &length));
    SAY("buffer", "%d", value);
    CALL(setsockopt(client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    length = sizeof(text);
    CALL(getsockopt(client, SOL_SOCKET, SO_BINDTODEVICE, text, &length));
    SAY("device", "%s %d", text, (int)length);
    length = sizeof(text);
    CALL(getsockopt(client, SOL_SOCKET, SO_PEERNAME, text, &length));
    SAY("peer", "%d %d", (int)length, text[0]);
    CALL(setsockopt(client, IPPROTO_IP, IP_TOS, &(int){16}, sizeof(int)));
    length = 1;
    CALL(getsockopt(client, IPPROTO_IP, IP_TOS, text, &length));
    SAY("service", "%d %d", text[0], (int)length);
    int queued = 0;
    CALL(send(client, "12345", 5, MSG_OOB));
    CALL(ioctl(server, SIOCATMARK, &queued));
    SAY("mark", "%d", queued);
    CALL(recv(server, text, sizeof(text), 0));
    CALL(ioctl(server, SIOCATMARK, &queued));
    SAY("mark", "%d", queued);
    CALL(recv(server, text, 1, MSG_OOB));
    CALL(ioctl(client, SIOCOUTQ, &queued));
    close(client);
    close(server);
    close(listener);
    // Options whose value is a struct.
    const int group = socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreqn member = {.imr_multiaddr = {inet_addr("224.0.0.99")}, .imr_address = {htonl(INADDR_LOOPBACK)}, .imr_ifindex = 0};
    CALL(setsockopt(group, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)));
    CALL(setsockopt(group, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, 4));
    CALL(setsockopt(group, IPPROTO_IP, IP_DROP_MEMBERSHIP, &member, sizeof(member)));
    CALL(setsockopt(group, IPPROTO_IP, IP_DROP_MEMBERSHIP, &member, sizeof(member)));
    struct group_req join = {.gr_interface = 1};
    ((struct sockaddr_in*)&join.gr_group)->sin_family = AF_INET;
    ((struct sockaddr_in*)&join.gr_group)->sin_addr.s_addr = inet_addr("224.0.0.98");
    CALL(setsockopt(group, IPPROTO_IP, MCAST_JOIN_GROUP, &join, sizeof(join)));
    CALL(setsockopt(group, IPPROTO_UDP, UDP_SEGMENT, &(int){100}, sizeof(int)));
    close(group);
}

// Control messages of one received datagram, by kind.
static void say_control(int fd, int flags) {
    char text[64];
    char control[512] __attribute__((aligned(8)));
    struct sockaddr_in from;
    struct iovec part = {text, sizeof(text)};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof(control)};
    const ssize_t size = recvmsg(fd, &message, flags);
    SAY("received", "%s flags %x", size == -1 ? strerrorname_np(errno) : "done", message.msg_flags);
    if (size == -1) {
        return;
    }
    for (struct cmsghdr* each = CMSG_FIRSTHDR(&message); each != NULL; each = CMSG_NXTHDR(&message, each)) {
        const size_t bytes = each->cmsg_len - CMSG_LEN(0);
        SAY("control", "%d %d %zu", each->cmsg_level, each->cmsg_type, bytes);
        if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
            const struct in_pktinfo* const info = (const struct in_pktinfo*)CMSG_DATA(each);
            SAY("to", "%s", inet_ntoa(info->ipi_addr));
        } else if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVERR) {
            const struct sock_extended_err* const error = (const struct sock_extended_err*)CMSG_DATA(each);
            SAY("error", "%s origin %d", strerrorname_np((int)error->ee_errno), error->ee_origin);
        } else if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec when;
            memcpy(&when, CMSG_DATA(each), sizeof(when));
            SAY("when", "%d", when.tv_sec > 1000000000 && when.tv_nsec < 1000000000);
        }
    }
}

static void control_messages(void) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    CALL(bind(fd, (struct sockaddr*)&address, length));
    CALL(getsockname(fd, (struct sockaddr*)&address, &length));
    const int on = 1;
    CALL(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
    CALL(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
    CALL(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
    CALL(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
    // With a control message of the sender's own.
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    memset(control, 0, sizeof(control));
    struct iovec part = {"text", 4};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_TTL;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *(int*)CMSG_DATA(header) = 33;
    CALL(sendmsg(fd, &message, 0));
    say_control(fd, 0);
    header->cmsg_len = 4;
    CALL(sendmsg(fd, &message, 0));
    message.msg_control = nowhere;
    CALL(sendmsg(fd, &message, 0));
    // Nobody at a port: the error comes back by the queue of errors.
    const int nobody = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in closed = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    length = sizeof(closed);
    CALL(bind(nobody, (struct sockaddr*)&closed, length));
    CALL(getsockname(nobody, (struct sockaddr*)&closed, &length));
    close(nobody);
    CALL(sendto(fd, "x", 1, 0, (struct sockaddr*)&closed, sizeof(closed)));
    struct pollfd poll_of = {.fd = fd};
    CALL(poll(&poll_of, 1, -1));
    SAY("events", "%x", poll_of.revents);
    say_control(fd, MSG_ERRQUEUE);
    say_control(fd, MSG_ERRQUEUE | MSG_DONTWAIT);
    close(fd);
}

static void netlink(void) {
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl name = {.nl_family = AF_NETLINK};
    socklen_t length = sizeof(name);
    CALL(bind(fd, (struct sockaddr*)&name, length));
    CALL(getsockname(fd, (struct sockaddr*)&name, &length));
    SAY("name", "%d %d", (int)length, name.nl_pid != 0);
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request = {.header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 5},
                 .info = {.ifi_family = AF_UNSPEC, .ifi_index = 1}};
    CALL(send(fd, &request, sizeof(request), 0));
    static char answer[32768] __attribute__((aligned(8)));
    const ssize_t size = recv(fd, answer, sizeof(answer), 0);
    const struct nlmsghdr* const header = (const struct nlmsghdr*)answer;
    const struct ifinfomsg* const info = NLMSG_DATA(header);
    SAY("link", "%d %d %u %d", NLMSG_OK(header, (uint32_t)size), header->nlmsg_type, header->nlmsg_seq, info->ifi_index);
    request.header.nlmsg_type = 9999;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    CALL(send(fd, &request, sizeof(request), 0));
    CALL(recv(fd, answer, sizeof(answer), 0) > 0);
    SAY("refused", "%d %d", header->nlmsg_type, ((const struct nlmsgerr*)NLMSG_DATA(header))->error);
    CALL(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &(int){1}, sizeof(int)));
    CALL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &(int){9999}, sizeof(int)));
    close(fd);
    CALL(socket(AF_NETLINK, SOCK_RAW, 999));
    // Names without a file, and a peer's credentials and groups.
    int ends[2];
    CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    uint32_t groups[64];
    length = sizeof(groups);
    CALL(getsockopt(ends[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0 && length % sizeof(groups[0]) == 0);
    int pidfd = -1;
    length = sizeof(pidfd);
    CALL(getsockopt(ends[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &length) == 0 || errno == ENOPROTOOPT);
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
    const int abstract = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    length = sizeof(own);
    CALL(bind(abstract, (struct sockaddr*)&own, sizeof(own.sun_family)));
    CALL(getsockname(abstract, (struct sockaddr*)&own, &length));
    SAY("abstract", "%d %d", (int)length, own.sun_path[0]);
    CALL(sendto(abstract, "self", 4, 0, (struct sockaddr*)&own, length));
    CALL(recv(abstract, answer, 2, MSG_TRUNC));
    close(abstract);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    terminals();
    interfaces();
    protocols();
    control_messages();
    netlink();
    return 0;
}
