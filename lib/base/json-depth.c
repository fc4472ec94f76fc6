/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/json-depth.h"

bool viommu_nesting_is_within(const char *text, size_t size, unsigned depth)
{
    bool in_string = false;
    unsigned level = 0;

    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '[' || text[i] == '{') {
            if (level++ > depth)
                return false;
        } else if ((text[i] == ']' || text[i] == '}') && level > 0) {
            level--;
        }
    }
    return true;
}
