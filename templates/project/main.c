#include "server.h"
#include "uart.h"

int main(void);

int main(void) {
    uart_init();
    server_run();
    return 0;
}
