/* Preloaded into a program and all that it starts: refuses each look-up, and each address but the
 * machine's own, and writes what was asked for to the file EK_NETWORK_LOG. It sees what goes
 * through the C library, native code's calls too; not what a statically linked program asks the
 * kernel. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *format, ...) {
    char line[600];
    const char *path = getenv("EK_NETWORK_LOG");
    int saved = errno;
    int used = snprintf(line, 200, "%.100s ", program_invocation_short_name);
    va_list values;
    va_start(values, format);
    used += vsnprintf(line + used, sizeof line - 2 - (size_t)used, format, values);
    va_end(values);
    used = used > (int)sizeof line - 2 ? (int)sizeof line - 2 : used;
    line[used++] = '\n';
    int file = open(path ? path : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, (size_t)used) != used) {
        abort(); /* a watch that cannot tell is none */
    }
    close(file);
    errno = saved;
}

__attribute__((constructor)) static void started(void) {
    note("started");
}

/* Return whether an address is of this machine, or of no network at all; note it if not. */
static int at_home(const char *what, const struct sockaddr *address) {
    char text[INET6_ADDRSTRLEN] = "?";
    if (address == NULL) {
        return 1; /* of a connection that was looked at when it was made */
    }
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)address;
        if (ntohl(four->sin_addr.s_addr) >> 24 == 127) {
            return 1;
        }
        inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
        note("%s %s", what, text);
        return 0;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)address;
        if (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)) {
            return 1;
        }
        inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
        note("%s %s", what, text);
        return 0;
    }
    return 1;
}

static int refused(void) {
    errno = EACCES;
    return -1;
}

int connect(int line, const struct sockaddr *address, socklen_t size) {
    return at_home("connect", address) ? NEXT(connect)(line, address, size) : refused();
}

int bind(int line, const struct sockaddr *address, socklen_t size) {
    return at_home("bind", address) ? NEXT(bind)(line, address, size) : refused();
}

/* A socket that was bound to nothing would listen to everybody. */
int listen(int line, int waiting) {
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    if (getsockname(line, (struct sockaddr *)&own, &size) != 0 ||
        !at_home("listen", (const struct sockaddr *)&own)) {
        return refused();
    }
    return NEXT(listen)(line, waiting);
}

ssize_t sendto(int line, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t length) {
    return at_home("sendto", address) ? NEXT(sendto)(line, data, size, flags, address, length)
                                      : refused();
}

ssize_t sendmsg(int line, const struct msghdr *message, int flags) {
    return at_home("sendmsg", message->msg_name) ? NEXT(sendmsg)(line, message, flags) : refused();
}

int sendmmsg(int line, struct mmsghdr *messages, unsigned count, int flags) {
    for (unsigned i = 0; i < count; ++i) {
        if (!at_home("sendmmsg", messages[i].msg_hdr.msg_name)) {
            return refused();
        }
    }
    return NEXT(sendmmsg)(line, messages, count, flags);
}

/* An address in digits is no look-up, nor is this machine's own name for itself. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    unsigned char address[16];
    if (name == NULL || strcmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1 ||
        inet_pton(AF_INET6, name, address) == 1) {
        return NEXT(getaddrinfo)(name, service, hints, found);
    }
    note("look-up %s", name);
    return EAI_FAIL;
}

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                char *service, socklen_t service_size, int flags) {
    if (host != NULL && !(flags & NI_NUMERICHOST) && !at_home("look-up", address)) {
        return EAI_FAIL;
    }
    return NEXT(getnameinfo)(address, size, host, host_size, service, service_size, flags);
}

struct hostent *gethostbyname(const char *name) {
    note("look-up %s", name);
    return NULL;
}

struct hostent *gethostbyname2(const char *name, int family) {
    (void)family;
    return gethostbyname(name);
}

int gethostbyname_r(const char *name, struct hostent *place, char *buffer, size_t size,
                    struct hostent **found, int *problem) {
    (void)place, (void)buffer, (void)size;
    *found = gethostbyname(name);
    *problem = HOST_NOT_FOUND;
    return ENOENT;
}

int gethostbyname2_r(const char *name, int family, struct hostent *place, char *buffer, size_t size,
                     struct hostent **found, int *problem) {
    (void)family;
    return gethostbyname_r(name, place, buffer, size, found, problem);
}

struct hostent *gethostbyaddr(const void *address, socklen_t size, int family) {
    char text[INET6_ADDRSTRLEN] = "?";
    (void)size;
    inet_ntop(family, address, text, sizeof text);
    return gethostbyname(text);
}

int gethostbyaddr_r(const void *address, socklen_t size, int family, struct hostent *place,
                    char *buffer, size_t room, struct hostent **found, int *problem) {
    (void)place, (void)buffer, (void)room;
    *found = gethostbyaddr(address, size, family);
    *problem = HOST_NOT_FOUND;
    return ENOENT;
}

/* The resolver's own functions, under the names that programs of each age call. */
#define RESOLVER(name, arguments, wanted)                                                          \
    int name arguments;                                                                            \
    int name arguments {                                                                           \
        note("look-up %s", wanted);                                                                \
        return -1;                                                                                 \
    }

RESOLVER(res_query, (const char *asked), asked)
RESOLVER(__res_query, (const char *asked), asked)
RESOLVER(res_search, (const char *asked), asked)
RESOLVER(__res_search, (const char *asked), asked)
RESOLVER(res_nquery, (void *state, const char *asked), ((void)state, asked))
RESOLVER(__res_nquery, (void *state, const char *asked), ((void)state, asked))
RESOLVER(res_nsearch, (void *state, const char *asked), ((void)state, asked))
RESOLVER(__res_nsearch, (void *state, const char *asked), ((void)state, asked))
RESOLVER(res_send, (void), "?")
RESOLVER(__res_send, (void), "?")
RESOLVER(res_nsend, (void), "?")
RESOLVER(__res_nsend, (void), "?")
