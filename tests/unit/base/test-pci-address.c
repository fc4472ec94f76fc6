/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pci-address: which texts are addresses, and that each is written as it was read. */
#include "lib/base/pci-address.h"

#include "tests/unit/unit.h"

START_TEST(addresses)
{
    static const struct {
        const char *text;
        ViommuPciAddress address;
    } cases[] = {
        {"0000:00:00.0", {0, 0, 0, 0}},
        {"0000:65:1f.7", {0, 0x65, 0x1f, 7}},
        {"000d:ff:01.0", {0xd, 0xff, 1, 0}},
        {"ffff:01:00.0", {0xffff, 1, 0, 0}},
        {"10000:e1:00.0", {0x10000, 0xe1, 0, 0}},
        {"e1c0ffee:02:00.3", {0xe1c0ffee, 2, 0, 3}},
        {"ffffffff:ff:1f.7", {UINT32_MAX, 0xff, 0x1f, 7}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuPciAddress address = {0};
        g_autofree char *text = viommu_pci_address_format(&cases[i].address);

        ck_assert_str_eq(text, cases[i].text);
        ck_assert_msg(viommu_pci_address_parse(text, &address), "%s", text);
        ck_assert_uint_eq(address.domain, cases[i].address.domain);
        ck_assert_uint_eq(address.bus, cases[i].address.bus);
        ck_assert_uint_eq(address.slot, cases[i].address.slot);
        ck_assert_uint_eq(address.function, cases[i].address.function);
    }
}
END_TEST

START_TEST(no_addresses)
{
    static const char *const texts[] = {
        "",
        "0000",
        "65:00.0",
        "0000:65:00",
        "000:65:00.0",
        "010000:65:00.0",
        "100000000:65:00.0",
        "0000:65:20.0",
        "0000:65:00.8",
        "0000:65:00.00",
        "0000:165:00.0",
        "0000:5:00.0",
        "0000:65:0.0",
        "0000:AF:00.0",
        "0x00:65:00.0",
        "+000:65:00.0",
        " 0000:65:00.0",
        "0000: 5:00.0",
        "0000:65:00.0 ",
        "0000:65:00.0\n",
        "0000:65:00.0x",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        ViommuPciAddress address = {.domain = 1234};

        ck_assert_msg(!viommu_pci_address_parse(texts[i], &address), "%s", texts[i]);
        ck_assert_uint_eq(address.domain, 1234);
    }
}
END_TEST

UNIT_MAIN("pci-address", addresses, no_addresses)
