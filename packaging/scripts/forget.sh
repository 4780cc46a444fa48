# Everything that it kept: configuration, policies, the CA, events and recordings, users.
rm -rf /etc/hostagent /var/lib/hostagent /run/hostagent
for user in hostagent-worker hostagent-analyzer hostagent-helper; do
    if getent passwd "$user" >/dev/null; then
        userdel "$user"
    fi
done
for group in hostagent-worker hostagent-analyzer hostagent-helper hostagent hostagent-approvers; do
    if getent group "$group" >/dev/null; then
        groupdel "$group"
    fi
done
