#include <Arduino.h>

Terminal Serial;

void delay(unsigned long) {}

int main()
{
    setup();
    loop();
    return 0;
}
