#!/bin/bash
# image.sh FOLDER WHEELS: a Debian 12 with systemd and the stock kernel, judder installed from WHEELS, as FOLDER/root.img.
#
# From apt packages alone, without loop devices and mounts; as root. The base system is kept in FOLDER for the next time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 wheels=$2
base=$folder/base root=$folder/root image=$folder/root.img
packages=systemd,systemd-sysv,udev,dbus,kmod,linux-image-amd64,initramfs-tools,busybox,zstd,python3-venv,procps
packages+=,mosquitto,mosquitto-clients

# The stock kernel without the drivers that no gateway in a virtual machine loads: 395 MB become 100 MB.
unneeded() {
	local drivers="ata bluetooth comedi crypto edac firewire gpu hid hwmon infiniband input isdn md media mtd net/can
		net/ethernet net/wireless ntb nvme platform/x86 power scsi staging target thunderbolt video"
	local trees="sound fs/afs fs/btrfs fs/ceph fs/cifs fs/f2fs fs/gfs2 fs/jfs fs/nfs fs/nfsd fs/nilfs2 fs/ocfs2 fs/reiserfs
		fs/smb fs/ubifs fs/xfs net/batman-adv net/bluetooth net/ceph net/mac80211 net/openvswitch net/rds net/sched
		net/sctp net/tipc net/wireless arch/x86/kvm"
	local each
	for each in $drivers; do echo "/lib/modules/*/kernel/drivers/$each/*"; done
	for each in $trees; do echo "/lib/modules/*/kernel/$each/*"; done
	printf '/usr/share/%s/*\n' man doc locale info
}

build_base() {
	local excluded mirror
	mapfile -t excluded < <(unneeded | sed 's/^/--dpkgopt=path-exclude=/')
	# The host's own mirror, from either format of apt's sources.
	mirror=$(find /etc/apt -name sources.list -o -name '*.sources' | xargs cat |
		sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\([^ ]*\) .*/\2/p' | head -1)
	rm -rf "$base"
	# The initial ramdisk gets what the virtual machine's disk and shared folder need, and is small.
	mmdebstrap --variant=minbase --architectures=amd64 --include=$packages "${excluded[@]}" \
		--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
		--essential-hook='printf "MODULES=list\nCOMPRESS=zstd\n" > "$1/etc/initramfs-tools/conf.d/vm"' \
		--essential-hook='printf "virtio_pci\nvirtio_blk\next4\n9p\n9pnet_virtio\n" > "$1/etc/initramfs-tools/modules"' \
		--customize-hook='echo gateway > "$1/etc/hostname"' \
		--customize-hook='printf "127.0.0.1 localhost gateway\n" > "$1/etc/hosts"' \
		--customize-hook='echo "/dev/vda / ext4 defaults,noatime 0 0" > "$1/etc/fstab"' \
		--customize-hook='chroot "$1" systemctl mask systemd-timesyncd apt-daily.timer apt-daily-upgrade.timer \
			e2scrub_reap e2scrub_all.timer fstrim.timer dpkg-db-backup.timer' \
		bookworm "$base" "$mirror"
	recipe > "$folder/base.recipe"
}

recipe() { echo "$packages"; declare -f build_base unneeded; }

[ "$(recipe)" = "$(cat "$folder/base.recipe" 2>/dev/null)" ] || build_base
rm -rf "$root" && cp -a "$base" "$root"
cp -r "$wheels" "$root/opt/wheels"
chroot "$root" python3 -m venv /opt/judder
chroot "$root" /opt/judder/bin/pip install --quiet --no-index --find-links /opt/wheels judder
rm -rf "$root/opt/wheels"
install -m 0644 -D -t "$root/opt/test" "$here/adapter.py" "$here/check.py" "$here/check.sh"
install -m 0644 -t "$root/etc/systemd/system" "$here/check.service"
chroot "$root" systemctl enable --quiet check.service

size=$(($(du -sm --apparent-size "$root" | cut -f1) * 13 / 10 + 128))
rm -f "$image" && truncate -s "${size}M" "$image"
mke2fs -q -t ext4 -F -m 0 -E lazy_itable_init=1,root_owner=0:0 -d "$root" "$image"
