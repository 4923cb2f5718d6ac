// An Arduino core on POSIX: Serial is stdin and stdout, with a receive buffer as small as real
// cores have it. The clock starts 100 ms before micros() wraps round, so that every run sees it do
// so.

#include <Arduino.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <string>
#include <unistd.h>

SerialPort Serial;

static uint8_t held[64];
static size_t head = 0;
static size_t tail = 0;

static unsigned long elapsed_us() {
    static timespec first = {};
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (first.tv_sec == 0) {
        first = now;
    }
    return static_cast<unsigned long>(now.tv_sec - first.tv_sec) * 1000000UL +
           static_cast<unsigned long>(now.tv_nsec / 1000 - first.tv_nsec / 1000);
}

unsigned long micros() {
    return static_cast<uint32_t>(elapsed_us() - 100000UL);
}

unsigned long millis() {
    return static_cast<uint32_t>(elapsed_us() / 1000UL);
}

void delay(unsigned long ms) {
    pollfd nothing = {};
    poll(&nothing, 0, static_cast<int>(ms));
}

void SerialPort::begin(unsigned long) {
}

int SerialPort::available() {
    pollfd line = {STDIN_FILENO, POLLIN, 0};
    if (head == tail && poll(&line, 1, 20) > 0) {
        const ssize_t count = ::read(STDIN_FILENO, held, sizeof held);
        if (count == 0) {
            exit(0); // the other end is gone: for a board, the power
        }
        head = 0;
        tail = count > 0 ? static_cast<size_t>(count) : 0;
    }
    return static_cast<int>(tail - head);
}

int SerialPort::read() {
    return available() > 0 ? held[head++] : -1;
}

size_t SerialPort::write(const uint8_t *data, size_t size) {
    // A few bytes at a time: callers must go on with the rest.
    const ssize_t count = ::write(STDOUT_FILENO, data, size < 40 ? size : 40);
    if (count < 0 && errno == EPIPE) {
        exit(0);
    }
    return count > 0 ? static_cast<size_t>(count) : 0;
}

static size_t write_all(const std::string &text) {
    for (size_t done = 0; done < text.size();) {
        done +=
            Serial.write(reinterpret_cast<const uint8_t *>(text.data()) + done, text.size() - done);
    }
    return text.size();
}

size_t SerialPort::print(const char *text) {
    return write_all(text);
}

size_t SerialPort::print(int value) {
    return write_all(std::to_string(value));
}

size_t SerialPort::println(unsigned long value) {
    return write_all(std::to_string(value) + "\r\n");
}

int main() {
    micros();
    setup();
    for (;;) {
        loop();
    }
}
