/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vfio-open: opens a device that is bound to vfio-pci, as a user of VFIO does: its group, a
 * container, a page mapped for DMA, its configuration space.  Runs inside a guest, without any
 * library.
 * vfio-open GROUP ADDRESS */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define IOVA 0x10000000

static int checked(const char *what, int result)
{
    if (result < 0) {
        printf("vfio-failed=%s: %s\n", what, strerror(errno));
        exit(1);
    }
    return result;
}

static int group_open(const char *number)
{
    struct vfio_group_status status = {.argsz = sizeof status};
    char path[64];
    int group;

    snprintf(path, sizeof path, "/dev/vfio/%s", number);
    group = checked("open the group", open(path, O_RDWR | O_CLOEXEC));
    checked("VFIO_GROUP_GET_STATUS", ioctl(group, VFIO_GROUP_GET_STATUS, &status));
    errno = EPERM;
    checked("VFIO_GROUP_FLAGS_VIABLE", status.flags & VFIO_GROUP_FLAGS_VIABLE ? 0 : -1);
    return group;
}

static int container_open(int group)
{
    int container = checked("open the container", open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));

    checked("VFIO_GROUP_SET_CONTAINER", ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
    checked("VFIO_SET_IOMMU", ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
    return container;
}

static void page_map(int container)
{
    struct vfio_iommu_type1_dma_map map = {.argsz = sizeof map,
                                           .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                                           .iova = IOVA,
                                           .size = PAGE};
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    checked("mmap", page == MAP_FAILED ? -1 : 0);
    map.vaddr = (uintptr_t)page;
    checked("VFIO_IOMMU_MAP_DMA", ioctl(container, VFIO_IOMMU_MAP_DMA, &map));
}

static void config_read(int device, uint16_t *ids, size_t size)
{
    struct vfio_region_info region = {.argsz = sizeof region, .index = VFIO_PCI_CONFIG_REGION_INDEX};

    checked("VFIO_DEVICE_GET_REGION_INFO", ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region));
    checked("read the configuration space",
            pread(device, ids, size, (off_t)region.offset) == (ssize_t)size ? 0 : -1);
}

int main(int argc, char **argv)
{
    uint16_t ids[2];
    int group, container, device;

    if (argc != 3)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    group = group_open(argv[1]);
    container = container_open(group);
    page_map(container);
    device = checked("VFIO_GROUP_GET_DEVICE_FD", ioctl(group, VFIO_GROUP_GET_DEVICE_FD, argv[2]));
    config_read(device, ids, sizeof ids);
    printf("vfio=%s group %s is %04x:%04x\n", argv[2], argv[1], ids[0], ids[1]);
    return 0;
}
