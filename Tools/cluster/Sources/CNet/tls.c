/* tls.c - connections: plain, or TLS by OpenSSL with the certificates of both ends checked */
#include "cnet.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct cnet_tls {
    SSL_CTX *context;
    int has_certificate;
};

struct cnet_stream {
    int socket;
    SSL *ssl;
    int has_certificate;
};

__attribute__((format(printf, 2, 3))) static void say(char why[CNET_TEXT], const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(why, CNET_TEXT, format, list);
    va_end(list);
}

static const char *reason(void) {
    const unsigned long code = ERR_peek_last_error();
    if (code && ERR_GET_LIB(code) == ERR_LIB_SYS) return strerror(ERR_GET_REASON(code));
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "no reason given";
}

cnet_tls *cnet_tls_open(const char *ca, const char *certificate, const char *key, char why[CNET_TEXT]) {
    cnet_tls *made = calloc(1, sizeof *made);
    why[0] = 0;
    ERR_clear_error();
    if (made) made->context = SSL_CTX_new(TLS_client_method());
    if (!made || !made->context) {
        say(why, "TLS cannot be used: %s", reason());
        free(made);
        return NULL;
    }
    SSL_CTX *context = made->context;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context, 1);
    if (*ca ? SSL_CTX_load_verify_locations(context, ca, NULL) != 1 : SSL_CTX_set_default_verify_paths(context) != 1)
        say(why, "ca=%s cannot be read as certificates in PEM: %s", ca, reason());
    else if (*certificate && SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        say(why, "cert=%s cannot be read as a certificate in PEM: %s", certificate, reason());
    else if (*key && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        say(why, "key=%s cannot be read as a private key in PEM, or is not that of the certificate: %s", key, reason());
    else if (*certificate && SSL_CTX_check_private_key(context) != 1)
        say(why, "key=%s is not the key of cert=%s", key, certificate);
    if (why[0]) {
        cnet_tls_close(made);
        return NULL;
    }
    made->has_certificate = *certificate != 0;
    return made;
}

void cnet_tls_close(cnet_tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

cnet_stream *cnet_stream_open(int socket, cnet_tls *tls, const char *host, char why[CNET_TEXT]) {
    cnet_stream *made = calloc(1, sizeof *made);
    why[0] = 0;
    if (!made) return NULL;
    made->socket = socket;
    if (!tls) return made;
    made->has_certificate = tls->has_certificate;
    made->ssl = SSL_new(tls->context);
    if (made->ssl && SSL_set_fd(made->ssl, socket) == 1) {
        SSL_set_connect_state(made->ssl);
        /* An address is compared with the addresses of a certificate, a name with its names. */
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made->ssl), host) == 1) return made;
        if (SSL_set1_host(made->ssl, host) == 1 && SSL_set_tlsext_host_name(made->ssl, host) == 1) return made;
    }
    say(why, "TLS cannot be used for %s: %s", host, reason());
    SSL_free(made->ssl);
    free(made);
    return NULL;
}

void cnet_stream_close(cnet_stream *stream) {
    if (!stream) return;
    if (stream->ssl) SSL_shutdown(stream->ssl);
    SSL_free(stream->ssl);
    close(stream->socket);
    free(stream);
}

/* What the other end says of our certificate comes as an alert; what is wrong with its own we see ourselves. */
static void explain(const cnet_stream *stream, char why[CNET_TEXT]) {
    const unsigned long code = ERR_peek_last_error();
    const long verified = SSL_get_verify_result(stream->ssl);
    const int alert = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    const char *ours = stream->has_certificate ? "" : ": the URL gives none (cert=, key=)";
    if (verified != X509_V_OK)
        say(why, "the server's certificate is refused: %s", X509_verify_cert_error_string(verified));
    else if (alert == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)
        say(why, "the server wants a certificate of ours%s", ours);
    else if (alert == SSL_R_TLSV1_ALERT_UNKNOWN_CA)
        say(why, "the server does not know the authority that has signed our certificate%s", ours);
    else if (alert == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED)
        say(why, "our certificate (cert=) has expired, says the server");
    else if (alert == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || alert == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
             alert == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || alert == SSL_R_TLSV1_ALERT_ACCESS_DENIED)
        say(why, "the server refuses our certificate: %s%s", reason(), ours);
    else if (alert == SSL_R_WRONG_VERSION_NUMBER || alert == SSL_R_PACKET_LENGTH_TOO_LONG ||
             alert == SSL_R_HTTP_REQUEST)
        say(why, "the server does not speak TLS on this port (%s)", reason());
    else say(why, "TLS failed: %s", reason());
}

static long ssl_result(const cnet_stream *stream, int got, char why[CNET_TEXT]) {
    switch (SSL_get_error(stream->ssl, got)) {
    case SSL_ERROR_WANT_READ: return CNET_AGAIN_READ;
    case SSL_ERROR_WANT_WRITE: return CNET_AGAIN_WRITE;
    case SSL_ERROR_ZERO_RETURN: return CNET_CLOSED;
    case SSL_ERROR_SYSCALL:
        if (errno) say(why, "the connection broke: %s", strerror(errno));
        return errno ? CNET_FAILED : CNET_CLOSED;
    default:
        if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return CNET_CLOSED;
        explain(stream, why);
        return CNET_FAILED;
    }
}

int cnet_stream_shake(cnet_stream *stream, char why[CNET_TEXT]) {
    if (!stream->ssl) return 1;
    ERR_clear_error();
    errno = 0;
    const int got = SSL_do_handshake(stream->ssl);
    if (got == 1) return 1;
    const long result = ssl_result(stream, got, why);
    if (result != CNET_CLOSED) return (int)result;
    say(why, "the server closed the connection in the TLS handshake: perhaps it speaks no TLS on this port");
    return CNET_FAILED;
}

static long plain_result(long got, char why[CNET_TEXT], int again) {
    if (got >= 0) return got;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return again;
    say(why, "the connection broke: %s", strerror(errno));
    return CNET_FAILED;
}

long cnet_stream_read_two(cnet_stream *stream, void *first, size_t first_size, void *second, size_t second_size,
                          char why[CNET_TEXT]) {
    if (!stream->ssl) {
        struct iovec parts[2] = {{first, first_size}, {second, second_size}};
        return plain_result(readv(stream->socket, parts, second_size ? 2 : 1), why, CNET_AGAIN_READ);
    }
    ERR_clear_error();
    errno = 0;
    const int got = SSL_read(stream->ssl, first, first_size > (1u << 30) ? 1 << 30 : (int)first_size);
    return got > 0 ? got : ssl_result(stream, got, why);
}

long cnet_stream_write(cnet_stream *stream, const void *bytes, size_t size, char why[CNET_TEXT]) {
    if (!size) return 0;
    if (!stream->ssl) return plain_result(send(stream->socket, bytes, size, MSG_NOSIGNAL), why, CNET_AGAIN_WRITE);
    ERR_clear_error();
    errno = 0;
    const int put = SSL_write(stream->ssl, bytes, size > (1u << 30) ? 1 << 30 : (int)size);
    return put > 0 ? put : ssl_result(stream, put, why);
}

long cnet_stream_write_two(cnet_stream *stream, const void *first, size_t first_size, const void *second,
                           size_t second_size, char why[CNET_TEXT]) {
    if (stream->ssl || !second_size) return cnet_stream_write(stream, first, first_size, why);
    struct iovec parts[2] = {{(void *)first, first_size}, {(void *)second, second_size}};
    struct msghdr head = {.msg_iov = parts, .msg_iovlen = 2};
    return plain_result(sendmsg(stream->socket, &head, MSG_NOSIGNAL), why, CNET_AGAIN_WRITE);
}
