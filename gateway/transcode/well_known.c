#include "gateway/transcode/well_known.h"

#include "gateway/transcode/digits.h"

#define NANOS 1000000000
#define TIMESTAMP_MIN (-62135596800)
#define TIMESTAMP_MAX 253402300799
#define DURATION_MAX 315576000000

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

/* Exactly `count` digits; -1 when they are not there. */
static int take_digits(struct slice *text, size_t count)
{
    int value = 0;
    if (text->len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text->data[i]))
            return -1;
        value = value * 10 + (text->data[i] - '0');
    }
    *text = slice_skip(*text, count);
    return value;
}

static bool take_byte(struct slice *text, uint8_t c)
{
    if (text->len == 0 || text->data[0] != c)
        return false;
    *text = slice_skip(*text, 1);
    return true;
}

/* An optional fraction of one to nine digits. */
static bool take_nanos(struct slice *text, int32_t *nanos)
{
    static const int32_t units[] = {0,     100000000, 10000000, 1000000, 100000,
                                    10000, 1000,      100,      10,      1};
    *nanos = 0;
    if (!take_byte(text, '.'))
        return true;
    size_t len = 0;
    int32_t value = 0;
    for (; len < text->len && is_digit(text->data[len]); len++) {
        if (len == 9)
            return false;
        value = value * 10 + (text->data[len] - '0');
    }
    *text = slice_skip(*text, len);
    *nanos = value * units[len];
    return len > 0;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years start in March here, so that the
 * leap day is the last of its year. */
static int64_t days_from_date(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400, year_of_era = year % 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static bool is_date(int year, int month, int day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    if (day <= days[month - 1])
        return true;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day == 29 && month == 2 && leap;
}

static bool take_offset(struct slice *text, int *seconds)
{
    *seconds = 0;
    if (take_byte(text, 'Z'))
        return true;
    bool west = take_byte(text, '-');
    if (!west && !take_byte(text, '+'))
        return false;
    int hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take_byte(text, ':'))
        return false;
    int minutes = take_digits(text, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

/* Eight characters with two-digit numbers at bytes 0, 3 and 6, or 0, 2 and 5, and `form`, zeros in
 * place of digits, between them.  The numbers are left in the bytes where they begin; false: of
 * another form. */
static inline bool take_pairs(const uint8_t *at, const char form[static 9], uint64_t *numbers)
{
    uint64_t shape = word_load(form);
    uint64_t digit = WORD_EACH(1) & ~(shape ^ WORD_EACH('0')) & ~((shape ^ WORD_EACH('0')) >> 1);
    uint64_t word = word_load(at) ^ shape;
    /* A digit plus 6 stays below 16, and so does no difference plus 15. */
    uint64_t room = digit * 6 + (WORD_EACH(1) ^ digit) * 15;
    *numbers = word * 10 + (word >> 8);
    return ((word | (word + room)) & WORD_EACH(0xf0)) == 0;
}

bool timestamp_parse(struct slice text, int64_t *seconds, int32_t *nanos)
{
    enum { FIXED_LEN = 19 }; /* YYYY-MM-DDTHH:MM:SS */
    const uint8_t *at = text.data;
    uint64_t date, time;
    if (text.len <= FIXED_LEN || !take_pairs(at, "0000-00-", &date) ||
        !take_pairs(at + 11, "00:00:00", &time) || !is_digit(at[8]) || !is_digit(at[9]) ||
        at[10] != 'T')
        return false;
    unsigned year = (uint8_t)date * 100u + (uint8_t)(date >> 16), month = (uint8_t)(date >> 40);
    unsigned day = (at[8] - (unsigned)'0') * 10 + (at[9] - (unsigned)'0');
    unsigned hour = (uint8_t)time, minute = (uint8_t)(time >> 24), second = (uint8_t)(time >> 48);
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (!is_date((int)year, (int)month, (int)day))
        return false;
    int offset;
    text = slice_skip(text, FIXED_LEN);
    if (!take_nanos(&text, nanos) || !take_offset(&text, &offset) || text.len > 0)
        return false;
    *seconds = days_from_date((int)year, (int)month, (int)day) * 86400 + hour * 3600 + minute * 60 +
               second - offset;
    return *seconds >= TIMESTAMP_MIN && *seconds <= TIMESTAMP_MAX;
}

/* Nothing, or a point and 3, 6 or 9 digits; up to seven bytes behind them are overwritten. */
static char *put_nanos(char *to, unsigned nanos)
{
    if (nanos == 0)
        return to;
    *to++ = '.';
    /* The upper eight of nine digits. */
    word_store(to, digits_text_8(nanos / 10));
    if (nanos % 1000000 == 0)
        return to + 3;
    if (nanos % 1000 == 0)
        return to + 6;
    to[8] = (char)('0' + nanos % 10);
    return to + 9;
}

static char *put_date(char *to, int64_t days)
{
    unsigned z = (unsigned)(days + 719468); /* never negative from year 1 on */
    unsigned era = z / 146097, day_of_era = z % 146097;
    unsigned year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0: March */
    year += era * 400 + (month >= 10);
    to = digits_put_2(digits_put_2(to, year / 100), year % 100);
    *to++ = '-';
    to = digits_put_2(to, month < 10 ? month + 3 : month - 9);
    *to++ = '-';
    return digits_put_2(to, day_of_year - (153 * month + 2) / 5 + 1);
}

size_t timestamp_format(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_LEN])
{
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 || nanos >= NANOS)
        return 0;
    int64_t from_year_1 = seconds - TIMESTAMP_MIN;
    unsigned second = (unsigned)(from_year_1 % 86400);
    char *to = put_date(out, from_year_1 / 86400 + TIMESTAMP_MIN / 86400);
    *to++ = 'T';
    to = digits_put_2(to, second / 3600);
    *to++ = ':';
    to = digits_put_2(to, second / 60 % 60);
    *to++ = ':';
    to = digits_put_2(to, second % 60);
    to = put_nanos(to, (unsigned)nanos);
    *to++ = 'Z';
    return (size_t)(to - out);
}

bool duration_parse(struct slice text, int64_t *seconds, int32_t *nanos)
{
    bool negative = take_byte(&text, '-');
    if (text.len == 0 || !is_digit(text.data[0]))
        return false;
    int64_t whole = 0;
    for (; text.len > 0 && is_digit(text.data[0]); text = slice_skip(text, 1)) {
        whole = whole * 10 + (text.data[0] - '0');
        if (whole > DURATION_MAX)
            return false;
    }
    if (!take_nanos(&text, nanos) || !take_byte(&text, 's') || text.len > 0)
        return false;
    *seconds = negative ? -whole : whole;
    *nanos = negative ? -*nanos : *nanos;
    return true;
}

size_t duration_format(int64_t seconds, int32_t nanos, char out[static DURATION_LEN])
{
    bool range = seconds >= -DURATION_MAX && seconds <= DURATION_MAX && nanos > -NANOS &&
                 nanos < NANOS && !(seconds > 0 && nanos < 0) && !(seconds < 0 && nanos > 0);
    if (!range)
        return 0;
    char *to = out;
    if (seconds < 0 || nanos < 0) {
        *to++ = '-';
        seconds = -seconds;
        nanos = -nanos;
    }
    size_t digits = 1;
    for (int64_t rest = seconds / 10; rest > 0; rest /= 10)
        digits++;
    int64_t rest = seconds;
    for (size_t i = digits; i-- > 0; rest /= 10)
        to[i] = (char)('0' + rest % 10);
    to = put_nanos(to + digits, (unsigned)nanos);
    *to++ = 's';
    return (size_t)(to - out);
}

bool field_mask_parse(struct slice path, uint8_t *out, size_t *len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.data[i];
        if (c == '_')
            return false;
        if (c >= 'A' && c <= 'Z') {
            *to++ = '_';
            c = (uint8_t)(c + 'a' - 'A');
        }
        *to++ = c;
    }
    *len = (size_t)(to - out);
    return path.len > 0;
}

bool field_mask_format(struct slice path, uint8_t *out, size_t *len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.data[i];
        if (c >= 'A' && c <= 'Z')
            return false;
        if (c == '_') {
            c = ++i < path.len ? path.data[i] : 0;
            if (c < 'a' || c > 'z')
                return false;
            c = (uint8_t)(c - ('a' - 'A'));
        }
        *to++ = c;
    }
    *len = (size_t)(to - out);
    return path.len > 0;
}
