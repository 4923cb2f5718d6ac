// What an exported library and its examples use of an Arduino core, and nothing else.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

class SerialPort {
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *data, size_t size);
    size_t print(const char *text);
    size_t print(int value);
    size_t println(unsigned long value);
};

extern SerialPort Serial;

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);

void setup();
void loop();

#endif
