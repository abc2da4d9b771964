/*
 * Formatting, which takes variable arguments. Formats are Windows': l is 32 bits wide, I64 and ll are 64, %S, %ws and %wZ
 * are of WCHAR.
 */
#include <wdm.h>

#include <stdio.h>

NTSTATUS skua_wsk_format(PSTR to, SIZE_T bytes, PCSTR text, va_list arguments);
NTSTATUS skua_wsk_format_wide(PWSTR to, SIZE_T room, PCWSTR text, va_list arguments);

struct output {
    char *to;
    SIZE_T room; /* without the null */
    SIZE_T length;
    BOOLEAN cut;
};

static void put(struct output *out, char c)
{
    if (out->length < out->room)
        out->to[out->length++] = c;
    else
        out->cut = TRUE;
}

/* UTF-8 of one code point. */
static void put_point(struct output *out, ULONG c)
{
    if (c < 0x80) {
        put(out, (char)c);
    } else if (c < 0x800) {
        put(out, (char)(0xC0 | c >> 6));
        put(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        put(out, (char)(0xE0 | c >> 12));
        put(out, (char)(0x80 | (c >> 6 & 0x3F)));
        put(out, (char)(0x80 | (c & 0x3F)));
    } else {
        put(out, (char)(0xF0 | c >> 18));
        put(out, (char)(0x80 | (c >> 12 & 0x3F)));
        put(out, (char)(0x80 | (c >> 6 & 0x3F)));
        put(out, (char)(0x80 | (c & 0x3F)));
    }
}

static void put_wide(struct output *out, const WCHAR *text, SIZE_T units)
{
    SIZE_T at;
    for (at = 0; at < units; at++) {
        ULONG c = text[at];
        if (c >= 0xD800 && c < 0xDC00 && at + 1 < units && text[at + 1] >= 0xDC00 && text[at + 1] < 0xE000)
            c = 0x10000 + ((c - 0xD800) << 10) + (text[++at] - 0xDC00u);
        put_point(out, c);
    }
}

static SIZE_T wide_length(const WCHAR *text, SIZE_T most)
{
    SIZE_T units = 0;
    while (units < most && text[units])
        units++;
    return units;
}

/* Pads what was put since `start` to `width`. */
static void pad(struct output *out, SIZE_T start, int width, BOOLEAN left)
{
    SIZE_T length = out->length - start, missing, at;
    if (width <= 0 || length >= (SIZE_T)width)
        return;
    missing = (SIZE_T)width - length;
    for (at = 0; at < missing; at++)
        put(out, ' ');
    if (!left && !out->cut) {
        memmove(out->to + start + missing, out->to + start, length);
        memset(out->to + start, ' ', missing);
    }
}

enum size { SIZE_8, SIZE_16, SIZE_32, SIZE_64 };

/* A number, by the host's own formatting. `flags` are those of the specification. */
static void put_number(struct output *out, const char *flags, int width, int precision, char kind, unsigned long long value)
{
    char specification[32], text[128];
    const char *c;
    if (width > 64)
        width = 64;
    if (precision > 64)
        precision = 64;
    if (precision >= 0)
        snprintf(specification, sizeof(specification), "%%%s%d.%dll%c", flags, width, precision, kind);
    else
        snprintf(specification, sizeof(specification), "%%%s%dll%c", flags, width, kind);
    snprintf(text, sizeof(text), specification, value);
    for (c = text; *c; c++)
        put(out, *c);
}

/* `units` says what %s and %c are of: WCHAR in a wide format. */
static void format(struct output *out, const char *f, BOOLEAN units, va_list arguments)
{
    for (; *f; f++) {
        char flags[8] = "";
        SIZE_T count = 0, start;
        int width = 0, precision = -1;
        enum size size = SIZE_32;
        BOOLEAN wide = FALSE, narrow = FALSE, left = FALSE;
        if (*f != '%') {
            put(out, *f);
            continue;
        }
        f++;
        for (; *f && strchr("-+ #0", *f); f++) {
            left |= *f == '-';
            if (count + 1 < sizeof(flags) && !strchr(flags, *f)) {
                flags[count++] = *f;
                flags[count] = 0;
            }
        }
        if (*f == '*') {
            width = va_arg(arguments, int);
            f++;
        } else {
            for (; *f >= '0' && *f <= '9'; f++)
                width = width < 10000 ? width * 10 + (*f - '0') : width;
        }
        if (width < 0) {
            left = TRUE;
            width = -width;
            if (count + 1 < sizeof(flags) && !strchr(flags, '-')) {
                flags[count++] = '-';
                flags[count] = 0;
            }
        }
        if (*f == '.') {
            f++;
            precision = 0;
            if (*f == '*') {
                precision = va_arg(arguments, int);
                f++;
            } else {
                for (; *f >= '0' && *f <= '9'; f++)
                    precision = precision < 100000 ? precision * 10 + (*f - '0') : precision;
            }
        }
        for (;; f++) {
            if (f[0] == 'I' && f[1] == '6' && f[2] == '4') {
                size = SIZE_64;
                f += 2;
            } else if (f[0] == 'I' && f[1] == '3' && f[2] == '2') {
                f += 2;
            } else if (f[0] == 'l' && f[1] == 'l') {
                size = SIZE_64;
                f++;
            } else if (*f == 'h') {
                size = size == SIZE_16 ? SIZE_8 : SIZE_16;
                narrow = TRUE;
            } else if (*f == 'l' || *f == 'w') {
                wide = TRUE;
            } else if (*f == 'z' || *f == 't' || *f == 'j' || *f == 'I') {
                size = SIZE_64;
            } else {
                break;
            }
        }
        start = out->length;
        switch (*f) {
        case 'd':
        case 'i': {
            long long value = size == SIZE_64 ? va_arg(arguments, long long) : va_arg(arguments, int);
            if (size == SIZE_16)
                value = (short)value;
            if (size == SIZE_8)
                value = (signed char)value;
            put_number(out, flags, width, precision, 'd', (unsigned long long)value);
            break;
        }
        case 'u':
        case 'o':
        case 'x':
        case 'X': {
            unsigned long long value =
                size == SIZE_64 ? va_arg(arguments, unsigned long long) : va_arg(arguments, unsigned);
            if (size == SIZE_16)
                value = (unsigned short)value;
            if (size == SIZE_8)
                value = (unsigned char)value;
            put_number(out, flags, width, precision, *f, value);
            break;
        }
        case 'p':
            put_number(out, "0", 16, -1, 'X', (ULONG_PTR)va_arg(arguments, void *));
            break;
        case 'c':
        case 'C': {
            int c = va_arg(arguments, int);
            put_point(out, wide || *f == 'C' ? (USHORT)c : (UCHAR)c);
            pad(out, start, width, left);
            break;
        }
        case 's':
        case 'S': {
            BOOLEAN of_units = (BOOLEAN)(wide || ((*f == 's') == units && !narrow));
            const void *text = va_arg(arguments, const void *);
            SIZE_T most = precision < 0 ? (SIZE_T)-1 : (SIZE_T)precision;
            if (!text)
                of_units = FALSE, text = "(null)";
            if (of_units) {
                put_wide(out, text, wide_length(text, most));
            } else {
                const char *c;
                for (c = text; most && *c; c++, most--)
                    put(out, *c);
            }
            pad(out, start, width, left);
            break;
        }
        case 'Z': {
            if (wide) {
                const UNICODE_STRING *string = va_arg(arguments, const UNICODE_STRING *);
                if (string && string->Buffer)
                    put_wide(out, string->Buffer, string->Length / sizeof(WCHAR));
            } else {
                const ANSI_STRING *string = va_arg(arguments, const ANSI_STRING *);
                SIZE_T at;
                for (at = 0; string && string->Buffer && at < string->Length; at++)
                    put(out, string->Buffer[at]);
            }
            pad(out, start, width, left);
            break;
        }
        case '%':
            put(out, '%');
            break;
        case 0:
            return;
        default:
            put(out, '%');
            put(out, *f);
        }
    }
}

/* As SkuaFormat. */
NTSTATUS skua_wsk_format(PSTR to, SIZE_T bytes, PCSTR text, va_list arguments)
{
    struct output out = { to, bytes ? bytes - 1 : 0, 0, FALSE };
    va_list copy;
    if (!bytes)
        return STATUS_INVALID_PARAMETER;
    va_copy(copy, arguments);
    format(&out, text, FALSE, copy);
    va_end(copy);
    to[out.length] = 0;
    return out.cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* As SkuaFormatWide: by way of UTF-8. */
NTSTATUS skua_wsk_format_wide(PWSTR to, SIZE_T room, PCWSTR text, va_list arguments)
{
    CHAR narrow[1024], line[4096];
    struct output source = { narrow, sizeof(narrow) - 1, 0, FALSE }, out = { line, sizeof(line) - 1, 0, FALSE };
    va_list copy;
    SIZE_T at = 0, written = 0;
    if (!room)
        return STATUS_INVALID_PARAMETER;
    put_wide(&source, text, wide_length(text, (SIZE_T)-1));
    narrow[source.length] = 0;
    va_copy(copy, arguments);
    format(&out, narrow, TRUE, copy);
    va_end(copy);
    while (at < out.length && written + 1 < room) {
        UCHAR first = (UCHAR)line[at];
        ULONG more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        ULONG point = first < 0x80 ? first : first & (0x3Fu >> more);
        if (at + more >= out.length)
            break;
        for (at++; more; more--, at++)
            point = point << 6 | (line[at] & 0x3F);
        if (point >= 0x10000) {
            if (written + 2 >= room)
                break;
            to[written++] = (WCHAR)(0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + ((point - 0x10000) & 0x3FF);
        }
        to[written++] = (WCHAR)point;
    }
    to[written] = 0;
    return at < out.length || out.cut || source.cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}
