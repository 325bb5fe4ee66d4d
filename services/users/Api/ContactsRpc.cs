using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Users.Data;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Users.Api;

/// <summary>Where mail of a user goes. For the service that writes it, not for people.</summary>
internal sealed class ContactsRpc(UsersDb db) : Contacts.ContactsBase
{
    public override async Task<Contact> GetContact(GetContactRequest request, ServerCallContext context)
    {
        if (!UserId.TryParse(request.UserId, out var id))
            throw Refusals.Validation("userId", "must be a user id");
        return await db.Users.AsNoTracking().Where(u => u.Id == id.Value).Select(u => new Contact { Email = u.Email, FirstName = u.FirstName })
            .FirstOrDefaultAsync(context.CancellationToken) ?? throw Refusals.NotFound("user-not-found", "There is no such user.");
    }
}
