/* What curl does for a buildpack, as small as it can be: GET / over TLS from 127.0.0.1, trusting the system's bundle.
   tls-get PORT; prints the body, or "refused: <reason>" with exit code 1. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int refused(const char* reason) {
  printf("refused: %s\n", reason);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return refused("usage: tls-get PORT");
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  if (SSL_CTX_load_verify_locations(context, "/etc/ssl/certs/ca-certificates.crt", NULL) != 1)
    return refused("no readable bundle");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  struct timeval limit = {.tv_sec = 10};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(connection, (struct sockaddr*)&address, sizeof address) != 0) return refused("no connection");
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, connection);
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
  if (SSL_connect(ssl) != 1) return refused(X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
  const char* request = "GET / HTTP/1.0\r\n\r\n";
  SSL_write(ssl, request, (int)strlen(request));
  char buffer[4096];
  int length = 0, got = 0;
  while (length < (int)sizeof buffer - 1 && (got = SSL_read(ssl, buffer + length, (int)sizeof buffer - 1 - length)) > 0)
    length += got;
  buffer[length] = '\0';
  char* body = strstr(buffer, "\r\n\r\n");
  if (body == NULL) return refused("no answer");
  fputs(body + 4, stdout);
  return 0;
}
